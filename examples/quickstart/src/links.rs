//! A link leads to another page of the bulletin, or out into the world.

use std::collections::BTreeMap;

use crate::page::Page;

/// Where links lead to pages that are not there: one line each, in order.
pub fn broken(pages: &BTreeMap<String, Page>) -> Vec<String> {
    let mut lines = Vec::new();
    for page in pages.values() {
        for target in targets(&page.body) {
            let name = target.trim_end_matches(".html");
            if !is_outside(target) && !pages.contains_key(name) {
                lines.push(format!("{}.md: nothing is called {target}", page.name));
            }
        }
    }
    lines
}

fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|after| after.split_once(')'))
        .map(|(target, _)| target)
}

fn is_outside(target: &str) -> bool {
    target.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(body: &str) -> BTreeMap<String, Page> {
        let index = Page::parse("index", body);
        BTreeMap::from([("index".to_owned(), index)])
    }

    #[test]
    fn a_link_to_a_page_that_is_there_is_fine() {
        assert!(broken(&pages("# A\n[home](index.html)")).is_empty());
    }

    #[test]
    fn a_link_into_the_world_is_not_followed() {
        assert!(broken(&pages("# A\n[out](https://example.org/x)")).is_empty());
    }

    #[test]
    fn a_link_that_leads_nowhere_is_named() {
        let lines = broken(&pages("# A\n[gone](gone.html)"));
        assert_eq!(lines, ["index.md: nothing is called gone.html"]);
    }
}
