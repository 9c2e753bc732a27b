"""The repository that the pipelines of all suites take their source from."""

from declarations import REPOSITORY
from harness import check, holds, same


@check("the first push makes a repository, and what was pushed can be cloned")
def push(world):
    folder = world.folder / "site"
    folder.mkdir()
    (folder / "index.html").write_text("<h1>Hello</h1>\n")
    world.git("init", "--quiet", "--initial-branch", "main", folder=folder)
    world.git("add", "--all", folder=folder)
    world.git("commit", "--quiet", "--message", "The site", folder=folder)
    world.git("push", "--quiet", world.remote(REPOSITORY), "main", folder=folder)
    copy = world.folder / "copy"
    world.git("clone", "--quiet", world.remote(REPOSITORY), str(copy))
    same((copy / "index.html").read_text(), "<h1>Hello</h1>\n", "the clone")
    same(head(world), world.git("rev-parse", "HEAD", folder=copy), "the commit of the clone")


def head(world):
    """The commit that the branch is at."""
    found = world.git("rev-parse", "HEAD", folder=world.folder / "site")
    holds(len(found) == 40, "a commit has an id")
    return found
