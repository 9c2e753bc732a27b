//! Where in a declaration something stands: the way from the pipeline down to a member.

use std::{borrow::Cow, fmt};

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A member of a structure.
    Field(Cow<'static, str>),
    /// A place in a list; counts from 0.
    Index(usize),
    /// A key of a map whose keys the author chose.
    Key(String),
}

/// The way from the pipeline, or from the top of a document, down to a value.
///
/// `Display` writes it as people do (`stages[2].actions[0].name`); [`Path::api`] as the API does
/// (`pipeline.stages.3.member.actions.1.member.name`, spec 10 §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    in_pipeline: bool,
    segments: Vec<Segment>,
}

impl Path {
    /// The pipeline itself.
    pub fn pipeline() -> Self {
        Self {
            in_pipeline: true,
            segments: Vec::new(),
        }
    }

    /// The top of a document, for keys that stand beside the pipeline.
    pub fn document() -> Self {
        Self {
            in_pipeline: false,
            segments: Vec::new(),
        }
    }

    /// The member of that name.
    #[must_use]
    pub fn field(&self, name: impl Into<Cow<'static, str>>) -> Self {
        self.with(Segment::Field(name.into()))
    }

    /// The item at that place, counted from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// The value under that key of a map.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(Segment::Key(key.to_owned()))
    }

    fn with(&self, segment: Segment) -> Self {
        let mut segments = Vec::with_capacity(self.segments.len() + 1);
        segments.extend_from_slice(&self.segments);
        segments.push(segment);
        Self {
            in_pipeline: self.in_pipeline,
            segments,
        }
    }

    /// The steps, outermost first.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether it leads through the pipeline, which the API knows.
    pub fn is_in_pipeline(&self) -> bool {
        self.in_pipeline
    }

    /// Whether this is `other` or a value inside it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.in_pipeline == other.in_pipeline && self.segments.starts_with(&other.segments)
    }

    /// The structure, list or map that holds this value.
    #[must_use]
    pub fn parent(&self) -> Self {
        let mut parent = self.clone();
        parent.segments.pop();
        parent
    }

    /// The path in the API's spelling; list members count from 1 (spec 10 §2).
    pub fn api(&self) -> String {
        let root = self.in_pipeline.then(|| "pipeline".to_owned());
        let steps = self.segments.iter().map(|segment| match segment {
            Segment::Field(name) => name.clone().into_owned(),
            Segment::Index(index) => format!("{}.member", index + 1),
            Segment::Key(key) => format!("{key}.member"),
        });
        root.into_iter().chain(steps).collect::<Vec<_>>().join(".")
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() {
            return f.write_str(if self.in_pipeline {
                "pipeline"
            } else {
                "document"
            });
        }
        for (place, segment) in self.segments.iter().enumerate() {
            let dot = if place == 0 { "" } else { "." };
            match segment {
                Segment::Field(name) => write!(f, "{dot}{name}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if is_plain(key) => write!(f, "{dot}{key}")?,
                Segment::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_spelt_for_people_and_for_the_api() {
        let action = Path::pipeline()
            .field("stages")
            .index(2)
            .field("actions")
            .index(0);
        assert_eq!(
            action.field("name").to_string(),
            "stages[2].actions[0].name"
        );
        assert_eq!(
            action.field("name").api(),
            "pipeline.stages.3.member.actions.1.member.name"
        );
        let configuration = action.field("configuration");
        assert_eq!(
            configuration.key("a.b").to_string(),
            "stages[2].actions[0].configuration[\"a.b\"]"
        );
        assert_eq!(Path::pipeline().to_string(), "pipeline");
        let store = Path::pipeline()
            .field("artifactStores")
            .key("eu-west-1")
            .field("location");
        assert_eq!(
            store.api(),
            "pipeline.artifactStores.eu-west-1.member.location"
        );
        assert_eq!(store.to_string(), "artifactStores.eu-west-1.location");
    }

    #[test]
    fn a_value_is_within_itself_and_its_ancestors_only() {
        let stage = Path::pipeline().field("stages").index(1);
        assert!(stage.field("name").is_within(&stage));
        assert!(stage.is_within(&stage));
        assert!(!stage.is_within(&stage.field("name")));
        assert!(!stage.is_within(&Path::document()));
        assert_eq!(stage.field("name").parent(), stage);
    }
}
