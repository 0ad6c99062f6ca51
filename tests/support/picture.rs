//! The picture that `graph --format svg` makes, as anybody's parser reads it.

use std::collections::BTreeMap;

use roxmltree::{Document, Node};

/// A rectangle: left, top, right, bottom.
pub type Area = [f64; 4];

/// A box of a picture.
#[derive(Clone, Debug)]
pub struct Box {
    pub class: String,
    pub area: Area,
    pub texts: Vec<String>,
    /// What a pointer is told.
    pub title: String,
}

/// A line of a picture.
#[derive(Clone, Debug)]
pub struct Way {
    pub class: String,
    pub corners: Vec<(f64, f64)>,
    pub texts: Vec<String>,
    pub title: String,
}

/// A picture.
#[derive(Clone, Debug)]
pub struct Picture {
    pub width: f64,
    pub height: f64,
    pub boxes: Vec<Box>,
    pub ways: Vec<Way>,
    /// All texts with their classes.
    pub texts: Vec<(String, String)>,
    /// Sizes of letters in pixels, by class.
    pub fonts: BTreeMap<String, f64>,
}

impl Picture {
    /// Reads one.
    pub fn of(svg: &str) -> Self {
        let document = Document::parse(svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
        let root = document.root_element();
        assert_eq!(root.tag_name().namespace(), Some("http://www.w3.org/2000/svg"));
        let number = |name: &str| root.attribute(name).unwrap().parse::<f64>().unwrap();
        let (width, height) = (number("width"), number("height"));
        // Nothing makes it smaller than it is written.
        assert_eq!(
            root.attribute("viewBox").unwrap(),
            format!("0 0 {width} {height}")
        );
        let all = || root.descendants().filter(Node::is_element);
        assert!(all().all(|node| node.attribute("transform").is_none()));
        let style = all().find(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "style")));
        let fonts = style
            .map(|style| fonts(style.text().unwrap()))
            .unwrap_or_default();
        let of = |name: &str| -> Vec<Node<'_, '_>> {
            let groups = all().filter(|node| node.tag_name().name() == "g");
            groups
                .filter(|node| classes(*node).first() == Some(&name))
                .collect()
        };
        Self {
            width,
            height,
            boxes: of("box").into_iter().map(box_of).collect(),
            ways: of("way").into_iter().map(way_of).collect(),
            texts: all()
                .filter(|node| node.tag_name().name() == "text")
                .map(|node| {
                    (
                        node.attribute("class").unwrap().to_owned(),
                        node.text().unwrap_or_default().to_owned(),
                    )
                })
                .collect(),
            fonts,
        }
    }

    /// The boxes that have a class.
    pub fn with(&self, class: &str) -> Vec<&Box> {
        let has = |one: &&Box| one.class.split(' ').any(|own| own == class);
        self.boxes.iter().filter(has).collect()
    }

    /// Holds what is true of every picture: no box on another, no line through a box, nothing outside, letters of eleven
    /// pixels at least, and a word at each line for how sure it is.
    #[track_caller]
    pub fn check(&self) {
        for (number, one) in self.boxes.iter().enumerate() {
            let [left, top, right, bottom] = one.area;
            assert!(
                left >= 0. && top >= 0. && right <= self.width && bottom <= self.height,
                "{one:?}"
            );
            for other in &self.boxes[..number] {
                let apart = right <= other.area[0]
                    || other.area[2] <= left
                    || bottom <= other.area[1]
                    || other.area[3] <= top;
                assert!(apart, "{one:?} {other:?}");
            }
            for way in &self.ways {
                for pair in way.corners.windows(2) {
                    assert!(
                        !crosses(&one.area, pair[0], pair[1]),
                        "{way:?} runs through {one:?}"
                    );
                }
            }
        }
        for (class, text) in &self.texts {
            let size = self
                .fonts
                .get(class)
                .unwrap_or_else(|| panic!("{class} has no size: {text}"));
            assert!(*size >= 11., "{class} {size}: {text}");
        }
        for way in &self.ways {
            let sure = ["proven", "inferred", "unknown"];
            let word = sure
                .iter()
                .find(|word| way.class.split(' ').any(|own| own == **word));
            if let Some(word) = word {
                assert!(way.texts.iter().any(|text| text == word), "{way:?}");
            }
        }
    }
}

fn classes<'n>(node: Node<'n, '_>) -> Vec<&'n str> {
    node.attribute("class").unwrap_or_default().split(' ').collect()
}

fn texts(node: Node<'_, '_>) -> Vec<String> {
    let texts = node.children().filter(|child| child.tag_name().name() == "text");
    texts
        .map(|text| text.text().unwrap_or_default().to_owned())
        .collect()
}

fn title(node: Node<'_, '_>) -> String {
    let title = node.children().find(|child| child.tag_name().name() == "title");
    title
        .and_then(|title| title.text())
        .unwrap_or_default()
        .to_owned()
}

fn box_of(node: Node<'_, '_>) -> Box {
    let frames = node.children().filter(|child| classes(*child) == ["frame"]);
    let area = frames.map(area).reduce(|one, other| {
        [
            one[0].min(other[0]),
            one[1].min(other[1]),
            one[2].max(other[2]),
            one[3].max(other[3]),
        ]
    });
    Box {
        class: node.attribute("class").unwrap().to_owned(),
        area: area.unwrap(),
        texts: texts(node),
        title: title(node),
    }
}

fn area(frame: Node<'_, '_>) -> Area {
    let number = |name: &str| frame.attribute(name).unwrap().parse::<f64>().unwrap();
    if frame.tag_name().name() == "rect" {
        let (x, y) = (number("x"), number("y"));
        return [x, y, x + number("width"), y + number("height")];
    }
    let points = points(frame.attribute("d").unwrap());
    let least = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).fold(f64::INFINITY, f64::min);
    let most = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).fold(0., f64::max);
    [
        least(|at| at.0),
        least(|at| at.1),
        most(|at| at.0),
        most(|at| at.1),
    ]
}

fn way_of(node: Node<'_, '_>) -> Way {
    let line = node
        .children()
        .find(|child| classes(*child).first() == Some(&"wire"))
        .unwrap();
    Way {
        class: line.attribute("class").unwrap().to_owned(),
        corners: points(line.attribute("d").unwrap()),
        texts: texts(node),
        title: title(node),
    }
}

/// The points of a path of straight lines and of corners rounded by one point each.
fn points(path: &str) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    let mut rest = path;
    while let Some(command) = rest.chars().next() {
        let behind = &rest[1..];
        let end = behind
            .find(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(behind.len());
        let numbers: Vec<f64> = behind[..end]
            .split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect();
        let last = points.last().copied().unwrap_or_default();
        match command {
            'M' | 'L' | 'Q' => points.extend(numbers.chunks(2).map(|pair| (pair[0], pair[1]))),
            'H' => points.push((numbers[0], last.1)),
            'V' => points.push((last.0, numbers[0])),
            'Z' => {}
            other => panic!("{other} in {path}"),
        }
        rest = &behind[end..];
    }
    points
}

/// Whether a line has a point inside an area: of one along an axis its shadows on both say so.
fn crosses(area: &Area, from: (f64, f64), to: (f64, f64)) -> bool {
    let over = |a: f64, b: f64, least: f64, most: f64| a.max(b) > least + 0.5 && a.min(b) < most - 0.5;
    over(from.0, to.0, area[0], area[2]) && over(from.1, to.1, area[1], area[3])
}

/// The sizes that `.picture .CLASS { font-size: Npx` give.
fn fonts(style: &str) -> BTreeMap<String, f64> {
    let rules = style.lines().filter_map(|line| {
        let (class, rule) = line.strip_prefix(".picture .")?.split_once(" { ")?;
        let (_, size) = rule.split_once("font-size: ")?;
        Some((class.to_owned(), size.split_once("px")?.0.parse().ok()?))
    });
    rules.collect()
}
