//! A bulletin is a folder of notes that becomes a small web site.
//!
//! `bulletin check NOTES` finds links that lead nowhere; `bulletin build NOTES SITE` writes a page
//! for each note. `AUDIENCE` and `REVISION` in the environment reach the pages.

mod links;
mod markup;
mod page;

use std::{collections::BTreeMap, env, error::Error, fs, path::Path, process::ExitCode};

use page::{Edition, Page};

const USAGE: &str = "usage: bulletin check NOTES | bulletin build NOTES SITE";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["check", notes] => check(Path::new(notes)),
        ["build", notes, site] => build(Path::new(notes), Path::new(site)),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(message) => {
            println!("{message}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bulletin: {error}");
            ExitCode::FAILURE
        }
    }
}

fn check(notes: &Path) -> Result<String, Box<dyn Error>> {
    let pages = read(notes)?;
    let broken = links::broken(&pages);
    if broken.is_empty() {
        return Ok(format!("{} pages, every link leads somewhere", pages.len()));
    }
    Err(broken.join("\n").into())
}

fn build(notes: &Path, site: &Path) -> Result<String, Box<dyn Error>> {
    let pages = read(notes)?;
    let edition = Edition {
        audience: env::var("AUDIENCE").unwrap_or_else(|_| "world".to_owned()),
        revision: env::var("REVISION").unwrap_or_else(|_| "unknown".to_owned()),
    };
    fs::create_dir_all(site)?;
    fs::write(site.join("style.css"), page::STYLE)?;
    for page in pages.values() {
        let file = site.join(format!("{}.html", page.name));
        fs::write(file, page.html(&edition, &pages))?;
    }
    Ok(format!("{} pages in {}", pages.len(), site.display()))
}

/// The notes by name, in order.
fn read(notes: &Path) -> Result<BTreeMap<String, Page>, Box<dyn Error>> {
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(notes).map_err(|error| format!("{}: {error}", notes.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let page = Page::parse(
                &path.file_stem().unwrap_or_default().to_string_lossy(),
                &fs::read_to_string(&path)?,
            );
            pages.insert(page.name.clone(), page);
        }
    }
    if pages.contains_key("index") {
        Ok(pages)
    } else {
        Err(format!("{} has no index.md", notes.display()).into())
    }
}
