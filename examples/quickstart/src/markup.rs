//! Markup is the small part of Markdown that notes are written in.

/// The HTML of a note's body.
pub fn html(text: &str) -> String {
    text.split("\n\n")
        .map(str::trim)
        .filter(|block| !block.is_empty())
        .map(block)
        .collect()
}

fn block(text: &str) -> String {
    if let Some(heading) = text.strip_prefix("## ") {
        return format!("<h2>{}</h2>\n", inline(heading));
    }
    if text.starts_with("- ") {
        let items = text
            .lines()
            .map(|line| line.strip_prefix("- ").unwrap_or(line));
        let items: String = items
            .map(|item| format!("<li>{}</li>\n", inline(item)))
            .collect();
        return format!("<ul>\n{items}</ul>\n");
    }
    format!("<p>{}</p>\n", inline(text))
}

/// Escapes a line and puts in its code, emphasis and links.
fn inline(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(place) = rest.find(['`', '*', '[']) {
        out.push_str(&escape(&rest[..place]));
        rest = &rest[place..];
        match span(rest) {
            Some((html, length)) => {
                out.push_str(&html);
                rest = &rest[length..];
            }
            None => {
                out.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
    out + &escape(rest)
}

/// The span that begins here with its length, if it ends at all.
fn span(text: &str) -> Option<(String, usize)> {
    let (mark, after) = text.split_at(1);
    if mark == "[" {
        let (label, after_label) = after.split_once("](")?;
        let (target, _) = after_label.split_once(')')?;
        let html = format!("<a href=\"{}\">{}</a>", escape(target), escape(label));
        return Some((html, 1 + label.len() + 2 + target.len() + 1));
    }
    let (inner, _) = after.split_once(mark)?;
    let tag = if mark == "`" { "code" } else { "em" };
    Some((format!("<{tag}>{}</{tag}>", escape(inner)), inner.len() + 2))
}

/// The text as HTML shows it.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_may_hold_code_emphasis_and_links() {
        let text = "Read `a < b`, *then* [go on](next.html).";
        let expected =
            "<p>Read <code>a &lt; b</code>, <em>then</em> <a href=\"next.html\">go on</a>.</p>\n";
        assert_eq!(html(text), expected);
    }

    #[test]
    fn a_list_has_an_item_a_line() {
        assert_eq!(
            html("- one\n- two"),
            "<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n"
        );
    }

    #[test]
    fn headings_and_paragraphs_stand_apart() {
        assert_eq!(html("## Now\n\nText"), "<h2>Now</h2>\n<p>Text</p>\n");
    }

    #[test]
    fn a_mark_that_never_ends_is_only_a_character() {
        assert_eq!(html("2 * 3 [or so"), "<p>2 * 3 [or so</p>\n");
    }

    #[test]
    fn nothing_in_a_note_becomes_markup_by_itself() {
        assert_eq!(
            html("<script>\"&\""),
            "<p>&lt;script&gt;&quot;&amp;&quot;</p>\n"
        );
    }
}
