//! A page is what becomes of one note.

use std::collections::BTreeMap;

use crate::markup;

pub const STYLE: &str = include_str!("style.css");

/// What all pages of one build have in common.
pub struct Edition {
    pub audience: String,
    pub revision: String,
}

pub struct Page {
    /// The name of its file, without the extension.
    pub name: String,
    pub title: String,
    pub body: String,
}

impl Page {
    /// Reads a note: `# Title` in the first line, then the body.
    pub fn parse(name: &str, text: &str) -> Self {
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        let (title, body) = match first.strip_prefix("# ") {
            Some(title) => (title, rest),
            None => (name, text),
        };
        Self {
            name: name.to_owned(),
            title: title.trim().to_owned(),
            body: body.to_owned(),
        }
    }

    pub fn html(&self, edition: &Edition, pages: &BTreeMap<String, Page>) -> String {
        let title = markup::escape(&self.title.replace("{audience}", &edition.audience));
        let menu: String = pages
            .values()
            .map(|page| self.menu_item(page, edition))
            .collect();
        let body = markup::html(&self.body);
        let revision = markup::escape(&edition.revision);
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
             <link rel=\"stylesheet\" href=\"style.css\">\n<nav>{menu}</nav>\n<main>\n\
             <h1>{title}</h1>\n{body}</main>\n<footer>Built from {revision}</footer>\n</html>\n"
        )
    }

    fn menu_item(&self, page: &Page, edition: &Edition) -> String {
        let title = markup::escape(&page.title.replace("{audience}", &edition.audience));
        if page.name == self.name {
            return format!("<b>{title}</b> ");
        }
        format!("<a href=\"{}.html\">{title}</a> ", page.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edition() -> Edition {
        Edition {
            audience: "<you>".to_owned(),
            revision: "3be91ac".to_owned(),
        }
    }

    #[test]
    fn the_first_line_is_the_title() {
        let page = Page::parse("index", "# Hello, {audience}\n\nWelcome.");
        let html = page.html(&edition(), &BTreeMap::new());
        assert!(
            html.contains("<h1>Hello, &lt;you&gt;</h1>\n<p>Welcome.</p>"),
            "{html}"
        );
    }

    #[test]
    fn a_note_without_a_title_is_called_by_its_name() {
        let page = Page::parse("plans", "Just text");
        assert_eq!(
            (page.title.as_str(), page.body.as_str()),
            ("plans", "Just text")
        );
    }

    #[test]
    fn the_footer_names_the_revision() {
        let html = Page::parse("index", "").html(&edition(), &BTreeMap::new());
        assert!(html.contains("Built from 3be91ac"), "{html}");
    }

    #[test]
    fn the_menu_links_every_page_but_the_one_that_is_shown() {
        let names = ["index", "plans"];
        let pages: BTreeMap<_, _> = names
            .iter()
            .map(|name| ((*name).to_owned(), Page::parse(name, "")))
            .collect();
        let html = pages["index"].html(&edition(), &pages);
        assert!(
            html.contains("<b>index</b> <a href=\"plans.html\">plans</a>"),
            "{html}"
        );
    }
}
