//! Long lists of an answer in pages: an assistant has room for so much, and asks for the rest.

use serde_json::{Map, Value as Json, json};

/// Which part of long lists is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The first element.
    pub offset: usize,
    /// So many at most; lists that are no longer are whole.
    pub limit: usize,
}

impl Page {
    /// Elements that are shown where nothing is asked for.
    pub const LIMIT: usize = 50;
    /// Elements that are shown at most.
    pub const MOST: usize = 1000;

    /// The page that was asked for.
    pub fn new(offset: Option<u64>, limit: Option<u64>) -> Self {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            offset: offset.map_or(0, number),
            limit: limit.map_or(Self::LIMIT, number).clamp(1, Self::MOST),
        }
    }

    /// Shortens the lists that are too long, and says which: by the path of each how many elements it has in all, which is
    /// the first that is shown, and how many are. Lists in the elements of lists stay as they are.
    pub fn cut(self, value: &mut Json, path: &str, lists: &mut Map<String, Json>) {
        match value {
            Json::Object(members) => {
                for (name, member) in members {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    self.cut(member, &path, lists);
                }
            }
            Json::Array(list) if list.len() > self.limit => {
                let total = list.len();
                list.drain(..self.offset.min(total));
                list.truncate(self.limit);
                let said = json!({ "total": total, "offset": self.offset, "shown": list.len() });
                lists.insert(path.to_owned(), said);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut_and_short_ones_are_whole() {
        let whole = json!({ "a": [1, 2, 3, 4, 5], "b": { "c": [1, 2], "d": [[1, 2, 3], 2, 3] } });
        let mut value = whole.clone();
        let mut lists = Map::new();
        Page::new(Some(2), Some(2)).cut(&mut value, "", &mut lists);
        assert_eq!(value, json!({ "a": [3, 4], "b": { "c": [1, 2], "d": [3] } }));
        let said = json!({
            "a": { "total": 5, "offset": 2, "shown": 2 }, "b.d": { "total": 3, "offset": 2, "shown": 1 },
        });
        assert_eq!(Json::from(lists), said);
        let mut value = whole.clone();
        Page::new(Some(9), Some(2)).cut(&mut value, "", &mut Map::new());
        assert_eq!(value["a"], json!([]));
        let mut value = whole.clone();
        Page::new(None, None).cut(&mut value, "", &mut Map::new());
        assert_eq!(value, whole);
        assert_eq!(Page::new(None, Some(u64::MAX)).limit, Page::MOST);
        assert_eq!(Page::new(None, Some(0)).limit, 1);
    }
}
