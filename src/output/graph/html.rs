//! One page that needs nothing else: no network, no second file.

use super::Drawing;

const PAGE: &str = include_str!("page.html");

/// The drawing as a page.
pub fn write(drawing: &Drawing, title: &str) -> Result<String, serde_json::Error> {
    let data = serde_json::to_string(drawing)?;
    let title = serde_json::to_string(title)?;
    Ok(PAGE
        .replace("/*TITLE*/null", &in_script(&title))
        .replace("/*DATA*/null", &in_script(&data)))
}

/// JSON that a script element may hold: nothing in it can end the element or open a comment. The page shows
/// names as text only, never as markup.
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_can_leave_the_script() {
        let page = write(&Drawing::default(), "</script><script>alert(1)//*DATA*/null").unwrap();
        assert!(!page.contains("<script>alert"));
        assert_eq!(page.matches("</script>").count(), 1);
    }

    #[test]
    fn the_page_loads_nothing() {
        assert!(!PAGE.contains("http:") && !PAGE.contains("https:"));
        assert!(PAGE.contains("default-src 'none'"));
    }
}
