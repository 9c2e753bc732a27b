use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    os::unix::fs::{PermissionsExt, symlink},
    process::Command,
};

use tempfile::TempDir;

use super::*;

/// A repository with one commit in a temporary folder.
struct Given {
    folder: TempDir,
}

impl Given {
    fn new() -> Self {
        let given = Self::without_commit();
        given.write("README.md", "hello\n");
        given.write("src/main.rs", "fn main() {}\n");
        given.write("run.sh", "#!/bin/sh\n");
        let run = given.tree().join("run.sh");
        fs::set_permissions(run, fs::Permissions::from_mode(0o755)).unwrap();
        symlink("src/main.rs", given.tree().join("link")).unwrap();
        given.write(".gitignore", "ignored/\n");
        given.commit("first\n\nWith a body.");
        given
    }

    fn without_commit() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let given = Self { folder };
        fs::create_dir(given.tree()).unwrap();
        given.git(&["init", "--quiet", "--initial-branch=main"]);
        given
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    fn snapshots(&self) -> PathBuf {
        self.folder.path().join("snapshots")
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.tree().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "A")
            .env("GIT_AUTHOR_EMAIL", "a@example.com")
            .env("GIT_AUTHOR_DATE", "2019-10-29T05:32:21+0200")
            .env("GIT_COMMITTER_NAME", "C")
            .env("GIT_COMMITTER_EMAIL", "c@example.com")
            .env("GIT_COMMITTER_DATE", "2019-10-30T00:00:00Z")
            .current_dir(self.tree())
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn at(&self, path: &Path, kind: Kind) -> GitRepositories {
        let source = Source {
            path: path.to_owned(),
            kind,
        };
        GitRepositories::new([("repo".to_owned(), source)].into(), &self.snapshots())
    }

    fn repository(&self) -> GitRepositories {
        self.at(&self.tree(), Kind::Repository)
    }

    fn working_tree(&self) -> GitRepositories {
        self.at(&self.tree(), UNCOMMITTED)
    }

    async fn archived(
        &self,
        repositories: &GitRepositories,
        commit: &Commit,
    ) -> BTreeMap<String, (u32, String)> {
        let to = self.folder.path().join("out.zip");
        repositories.archive("repo", commit, &to).await.unwrap();
        unpacked(&to)
    }
}

const UNCOMMITTED: Kind = Kind::WorkingTree {
    include_uncommitted: true,
};

fn unpacked(path: &Path) -> BTreeMap<String, (u32, String)> {
    let mut zip = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    let mut files = BTreeMap::new();
    for at in 0..zip.len() {
        let mut file = zip.by_index(at).unwrap();
        let mut content = String::new();
        file.read_to_string(&mut content).unwrap();
        files.insert(
            file.name().unwrap().into_owned(),
            (file.unix_mode().unwrap(), content),
        );
    }
    files
}

fn names(files: &BTreeMap<String, (u32, String)>) -> Vec<&str> {
    files.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_head_of_a_branch_is_described() {
    let given = Given::new();
    let commit = given.repository().head("repo", "main").await.unwrap();
    assert_eq!(commit.id, given.git(&["rev-parse", "HEAD"]));
    assert_eq!(commit.message, "first\n\nWith a body.");
    assert_eq!(commit.author_date, "2019-10-29T03:32:21Z");
    assert_eq!(commit.committer_date, "2019-10-30T00:00:00Z");
    assert_eq!(commit.uncommitted_files, 0);
}

#[tokio::test]
async fn a_bare_repository_works_as_well() {
    let given = Given::new();
    let bare = given.folder.path().join("bare.git");
    given.git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    let repositories = given.at(&bare, Kind::Repository);
    let commit = repositories.head("repo", "main").await.unwrap();
    assert_eq!(given.archived(&repositories, &commit).await.len(), 5);
}

#[tokio::test]
async fn an_archive_keeps_modes_and_links_and_leaves_git_out() {
    let given = Given::new();
    let repositories = given.repository();
    let commit = repositories.head("repo", "main").await.unwrap();
    let files = given.archived(&repositories, &commit).await;
    let expected = [".gitignore", "README.md", "link", "run.sh", "src/main.rs"];
    assert_eq!(names(&files), expected);
    assert_eq!(files["README.md"], (0o100_644, "hello\n".to_owned()));
    assert_eq!(files["run.sh"].0, 0o100_755);
    assert_eq!(files["link"], (0o120_777, "src/main.rs".to_owned()));
}

#[tokio::test]
async fn a_submodule_is_left_out() {
    let given = Given::new();
    let id = given.git(&["rev-parse", "HEAD"]);
    let entry = format!("160000,{id},module");
    given.git(&["update-index", "--add", "--cacheinfo", &entry]);
    given.git(&["commit", "--quiet", "--message", "second"]);
    let repositories = given.repository();
    let commit = repositories.head("repo", "main").await.unwrap();
    assert_eq!(given.archived(&repositories, &commit).await.len(), 5);
}

#[tokio::test]
async fn the_same_commit_gives_the_same_bytes() {
    let given = Given::new();
    let repositories = given.repository();
    let commit = repositories.head("repo", "main").await.unwrap();
    let (one, two) = (given.folder.path().join("1"), given.folder.path().join("2"));
    repositories.archive("repo", &commit, &one).await.unwrap();
    repositories.archive("repo", &commit, &two).await.unwrap();
    assert_eq!(fs::read(one).unwrap(), fs::read(two).unwrap());
}

#[tokio::test]
async fn a_commit_is_found_by_id_although_the_branch_went_on() {
    let given = Given::new();
    let first = given.git(&["rev-parse", "HEAD"]);
    given.write("README.md", "later\n");
    given.commit("second");
    let repositories = given.repository();
    let commit = repositories.commit("repo", &first).await.unwrap();
    assert_eq!(commit.id, first);
    let files = given.archived(&repositories, &commit).await;
    assert_eq!(files["README.md"].1, "hello\n");
}

#[tokio::test]
async fn what_is_missing_is_named_and_never_replaced_by_something_else() {
    let given = Given::new();
    let repositories = given.repository();
    let error = repositories.head("repo", "gone").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "repository `repo` has no branch, tag or commit `gone`"
    );
    let gone = "0123456789012345678901234567890123456789";
    let error = repositories.commit("repo", gone).await.unwrap_err();
    assert!(matches!(error, RepositoryError::NoRevision { .. }));
    let commit = Commit {
        id: gone.to_owned(),
        ..Commit::default()
    };
    let to = given.folder.path().join("out.zip");
    let error = repositories
        .archive("repo", &commit, &to)
        .await
        .unwrap_err();
    assert!(matches!(error, RepositoryError::NoRevision { .. }));
    assert!(!to.exists());
    let error = repositories.head("other", "main").await.unwrap_err();
    assert!(matches!(error, RepositoryError::NotFound(name) if name == "other"));
}

#[tokio::test]
async fn a_revision_is_never_read_as_an_option() {
    let given = Given::new();
    for repositories in [given.repository(), given.working_tree()] {
        for revision in ["--output=/tmp/x", "-h", "", "a\nb"] {
            let error = repositories.commit("repo", revision).await.unwrap_err();
            assert!(
                matches!(error, RepositoryError::NoRevision { .. }),
                "{revision}"
            );
        }
    }
    let error = given.repository().head("repo", "--all").await.unwrap_err();
    assert!(matches!(error, RepositoryError::NoRevision { .. }));
}

#[tokio::test]
async fn a_folder_that_is_no_repository_says_what_git_says() {
    let given = Given::new();
    let plain = given.folder.path().join("plain");
    fs::create_dir(&plain).unwrap();
    let error = given
        .at(&plain, Kind::Repository)
        .head("repo", "main")
        .await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("not a git repository"), "{error}");
    let missing = given.folder.path().join("missing");
    let error = given.at(&missing, UNCOMMITTED).head("repo", "main").await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("there is no folder"), "{error}");
}

#[tokio::test]
async fn a_clean_working_tree_is_its_commit() {
    let given = Given::new();
    let commit = given.working_tree().head("repo", "any").await.unwrap();
    assert_eq!(commit.id, given.git(&["rev-parse", "HEAD"]));
    assert_eq!(commit.uncommitted_files, 0);
    assert!(!given.snapshots().exists());
}

#[tokio::test]
async fn uncommitted_files_go_along_and_ignored_ones_do_not() {
    let given = Given::new();
    given.write("README.md", "changed\r\n");
    given.write("new file.txt", "new");
    given.write("odd\nname", "odd");
    given.write("ignored/big", "x");
    fs::remove_file(given.tree().join("src/main.rs")).unwrap();
    let before = given.git(&["count-objects"]);

    let repositories = given.working_tree();
    let commit = repositories.head("repo", "main").await.unwrap();
    assert_eq!(commit.uncommitted_files, 4);
    let short = &given.git(&["rev-parse", "HEAD"])[..8];
    assert_eq!(
        commit.message,
        format!("4 uncommitted files on {short}: first")
    );
    let files = given.archived(&repositories, &commit).await;
    let expected = [
        ".gitignore",
        "README.md",
        "link",
        "new file.txt",
        "odd\nname",
        "run.sh",
    ];
    assert_eq!(names(&files), expected);
    assert_eq!(files["README.md"].1, "changed\r\n");
    assert_eq!(
        given.git(&["count-objects"]),
        before,
        "the repository was left alone"
    );
}

#[tokio::test]
async fn the_same_files_have_the_same_id_and_others_another() {
    let given = Given::new();
    given.write("new", "1");
    let repositories = given.working_tree();
    let first = repositories.head("repo", "main").await.unwrap();
    assert_eq!(repositories.head("repo", "main").await.unwrap(), first);
    given.write("new", "2");
    let second = repositories.head("repo", "main").await.unwrap();
    assert_ne!(first.id, second.id);
    // The first is still what it was, although nothing of it lies there any more.
    let files = given.archived(&repositories, &first).await;
    assert_eq!(files["new"].1, "1");
    let again = repositories.commit("repo", &first.id).await.unwrap();
    assert_eq!(again.id, first.id);
}

#[tokio::test]
async fn a_working_tree_without_a_commit_is_all_uncommitted() {
    let given = Given::without_commit();
    given.write("a", "1");
    let repositories = given.working_tree();
    let commit = repositories.head("repo", "main").await.unwrap();
    assert_eq!(commit.message, "1 uncommitted file, no commit yet");
    assert_eq!(names(&given.archived(&repositories, &commit).await), ["a"]);
}

#[tokio::test]
async fn a_working_tree_may_be_asked_for_what_is_committed_only() {
    let given = Given::new();
    given.write("new", "1");
    let kind = Kind::WorkingTree {
        include_uncommitted: false,
    };
    let repositories = given.at(&given.tree(), kind);
    let commit = repositories.head("repo", "main").await.unwrap();
    assert_eq!(commit.id, given.git(&["rev-parse", "HEAD"]));
    assert!(
        !given
            .archived(&repositories, &commit)
            .await
            .contains_key("new")
    );
}

#[tokio::test]
async fn a_folder_inside_a_working_tree_is_a_source_of_its_own() {
    let given = Given::new();
    given.write("outside", "1");
    given.write("src/lib.rs", "");
    let repositories = given.at(&given.tree().join("src"), UNCOMMITTED);
    let commit = repositories.head("repo", "main").await.unwrap();
    assert_eq!(commit.uncommitted_files, 1);
    let files = given.archived(&repositories, &commit).await;
    assert_eq!(names(&files), ["lib.rs", "main.rs"]);
    let error = repositories
        .clone_url("repo")
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("only whole ones are cloned"), "{error}");
}

#[tokio::test]
async fn state_that_lies_in_a_source_is_no_part_of_it() {
    let given = Given::new();
    given.write(".pipewright/state.db", "x");
    let hidden = given.tree().join(".pipewright");
    let repositories = given.working_tree().hiding(&hidden);
    let commit = repositories.head("repo", "main").await.unwrap();
    assert_eq!(commit.uncommitted_files, 0);

    let directory = given.at(&given.tree(), Kind::Directory).hiding(&hidden);
    let commit = directory.head("repo", "main").await.unwrap();
    let files = given.archived(&directory, &commit).await;
    let expected = [".gitignore", "README.md", "link", "run.sh", "src/main.rs"];
    assert_eq!(names(&files), expected);
}

#[tokio::test]
async fn a_path_that_goes_a_long_way_round_hides_as_well() {
    let given = Given::new();
    given.write("state/db", "x");
    let round = given.tree().join("src/..");
    let hidden = given.tree().join("src/../state");
    for kind in [Kind::Directory, UNCOMMITTED] {
        let repositories = given.at(&round, kind).hiding(&hidden);
        let commit = repositories.head("repo", "main").await.unwrap();
        assert!(
            !given
                .archived(&repositories, &commit)
                .await
                .contains_key("state/db")
        );
    }
}

#[tokio::test]
async fn a_clone_has_the_uncommitted_files_and_stands_on_its_own() {
    let given = Given::new();
    given.write("new", "1");
    let repositories = given.working_tree();
    let commit = repositories.head("repo", "main").await.unwrap();
    let url = repositories.clone_url("repo").await.unwrap();
    let clone = given.folder.path().join("clone");
    given.git(&[
        "clone",
        "--quiet",
        "--no-checkout",
        &url,
        clone.to_str().unwrap(),
    ]);
    given.git(&[
        "-C",
        clone.to_str().unwrap(),
        "checkout",
        "--quiet",
        &commit.id,
    ]);
    assert_eq!(fs::read_to_string(clone.join("new")).unwrap(), "1");
    assert!(!clone.join(".git/objects/info/alternates").exists());
}

#[tokio::test]
async fn a_directory_has_an_id_that_follows_from_its_files() {
    let given = Given::new();
    let repositories = given.at(&given.tree(), Kind::Directory);
    let first = repositories.head("repo", "any").await.unwrap();
    assert_eq!(first.message, "directory tree");
    assert_eq!(first.id.len(), 40);
    let files = given.archived(&repositories, &first).await;
    assert_eq!(files["run.sh"].0, 0o100_755);
    assert_eq!(files["link"], (0o120_777, "src/main.rs".to_owned()));

    given.write("README.md", "changed");
    let second = repositories.head("repo", "any").await.unwrap();
    assert_ne!(first.id, second.id);
    let to = given.folder.path().join("gone.zip");
    let error = repositories.archive("repo", &first, &to).await.unwrap_err();
    assert!(matches!(error, RepositoryError::NoRevision { .. }));
    assert!(!to.exists());
    assert!(repositories.commit("repo", &first.id).await.is_err());
    assert_eq!(
        repositories.commit("repo", &second.id).await.unwrap(),
        second
    );
    assert!(repositories.clone_url("repo").await.is_err());
}

#[tokio::test]
async fn any_other_name_means_the_fallback() {
    let given = Given::new();
    let fallback = Source {
        path: given.tree(),
        kind: Kind::Repository,
    };
    let repositories =
        GitRepositories::new(BTreeMap::new(), &given.snapshots()).with_fallback(fallback);
    assert!(repositories.head("whatever", "main").await.is_ok());
}

#[tokio::test]
async fn a_hook_or_a_monitor_of_the_repository_never_runs() {
    let given = Given::new();
    let trace = given.folder.path().join("ran");
    let script = given.folder.path().join("script");
    fs::write(&script, format!("#!/bin/sh\ntouch {}\n", trace.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    given.git(&["config", "core.fsmonitor", script.to_str().unwrap()]);
    given.write("new", "1");
    let repositories = given.working_tree();
    let commit = repositories.head("repo", "main").await.unwrap();
    given.archived(&repositories, &commit).await;
    assert!(!trace.exists());
}
