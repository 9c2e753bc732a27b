//! A reading: the text of a declaration becomes a declaration, or everything that is wrong in it.
//!
//! In a file an unknown field is a problem, although the API ignores it (spec 10 §1): whoever
//! wrote it expected it to do something.

use std::collections::BTreeMap;

use super::{
    PipelineDeclaration,
    decode::{Decoder, UnknownFields, pipeline::pipeline},
    json,
    node::{DOCUMENT_BYTES_MAX, Node, Value},
    normalise::normalise,
    path::Path,
    problem::{Exception, Place, Problem, nearest, rule},
    support,
    validate::{Context, REACHING_RULES, validate},
    yaml,
};

const PIPELINE: &str = "pipeline";
/// What get-pipeline prints beside the pipeline; update-pipeline must not be sent it.
const METADATA: &str = "metadata";

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Yaml,
}

impl Format {
    /// The format that a file name promises.
    pub fn of_file_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "yml" | "yaml" => Some(Self::Yaml),
            _ => None,
        }
    }
}

/// A declaration that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub declaration: PipelineDeclaration,
    /// The pipeline's part of the text, to find the place of a path.
    pub pipeline: Node,
    /// The other keys at the top that the caller named.
    pub others: BTreeMap<String, Node>,
}

impl Document {
    /// Gives each problem that was found in the declaration its place in the text.
    pub fn locate(&self, problems: &mut [Problem]) {
        locate(&self.pipeline, problems);
    }
}

fn locate(pipeline: &Node, problems: &mut [Problem]) {
    for problem in problems {
        if problem.place.is_none() && problem.path.is_in_pipeline() {
            problem.place = Some(pipeline.place_of(&problem.path));
        }
    }
}

/// Reads the text as a tree, with nothing known about its fields.
pub fn tree(text: &str, format: Format) -> Result<Node, Vec<Problem>> {
    if text.len() > DOCUMENT_BYTES_MAX {
        let message = format!("the text is longer than {DOCUMENT_BYTES_MAX} bytes");
        return Err(vec![unreadable(message)]);
    }
    match format {
        Format::Json => json::parse(text),
        Format::Yaml => yaml::parse(text),
    }
}

fn unreadable(message: impl Into<String>) -> Problem {
    Problem::new(
        rule::READING,
        Exception::Serialization,
        Path::document(),
        message,
    )
    .at(Place::at(1, 1))
}

/// Reads a declaration without applying the rules of spec 20 §9.
///
/// The text is the declaration itself, or `{pipeline: …, metadata: …}` as get-pipeline prints it;
/// beside either may stand the keys in `others`.
pub fn read(text: &str, format: Format, others: &[&str]) -> Result<Document, Vec<Problem>> {
    let (document, mut problems, _) = decode(tree(text, format)?, others)?;
    problems.sort_by_key(|problem| problem.place);
    if problems.is_empty() {
        Ok(document)
    } else {
        Err(problems)
    }
}

/// Reads the `pipeline` member of an API request: what it does not know is passed over (spec 10 §1),
/// and none of the rules of spec 20 §9 is applied.
pub fn read_member(node: &Node) -> Result<PipelineDeclaration, Vec<Problem>> {
    let mut decoder = Decoder::new(UnknownFields::Ignore);
    let declaration = pipeline(&mut decoder, node, &Path::pipeline());
    let problems = decoder.into_problems();
    match declaration {
        Some(declaration) if problems.is_empty() => Ok(declaration),
        Some(_) | None => Err(problems),
    }
}

/// Reads a declaration and applies every rule, and refuses what is not supported yet; the problems
/// are in the order of the text.
pub fn read_valid(
    text: &str,
    format: Format,
    others: &[&str],
    context: &Context<'_>,
) -> Result<Document, Vec<Problem>> {
    read_valid_tree(tree(text, format)?, others, context)
}

/// Like [`read_valid`], of a text that was read as a tree already: the caller may have filled in
/// what its users need not write.
pub fn read_valid_tree(
    root: Node,
    others: &[&str],
    context: &Context<'_>,
) -> Result<Document, Vec<Problem>> {
    examine(root, others, |declaration| {
        let mut problems = validate(declaration, context);
        problems.extend(support::refusals(declaration));
        problems
    })
}

/// Reads a declaration that CodePipeline would accept, whether or not all of it is supported here.
pub fn read_valid_for_aws(
    text: &str,
    format: Format,
    others: &[&str],
    context: &Context<'_>,
) -> Result<Document, Vec<Problem>> {
    examine(tree(text, format)?, others, |declaration| {
        validate(declaration, context)
    })
}

fn examine(
    root: Node,
    others: &[&str],
    check: impl FnOnce(&PipelineDeclaration) -> Vec<Problem>,
) -> Result<Document, Vec<Problem>> {
    let (mut document, mut problems, damaged) = decode(root, others)?;
    normalise(&mut document.declaration);
    let mut found = check(&document.declaration);
    found.retain(|problem| !is_consequence(problem, &damaged));
    document.locate(&mut found);
    problems.extend(found);
    problems.sort_by_key(|problem| (problem.place, problem.rule));
    if problems.is_empty() {
        Ok(document)
    } else {
        Err(problems)
    }
}

/// Whether the problem may only be there because something else could not be read.
fn is_consequence(problem: &Problem, damaged: &[Path]) -> bool {
    if damaged.is_empty() {
        return false;
    }
    // What is wrong with the pipeline as a whole does not follow from one of its members.
    let is_member = !problem.path.segments().is_empty();
    REACHING_RULES.contains(&problem.rule)
        || damaged.iter().any(|damaged| {
            problem.path.is_within(damaged) || (is_member && damaged.parent() == problem.path)
        })
}

type Decoded = (Document, Vec<Problem>, Vec<Path>);

fn decode(root: Node, others: &[&str]) -> Result<Decoded, Vec<Problem>> {
    let Value::Map(entries) = root.value else {
        let message = format!("the text is {}, where a map is expected", root.what());
        return Err(vec![unreadable(message)]);
    };
    let mut decoder = Decoder::new(UnknownFields::Refuse);
    let (mut own, mut kept) = (Vec::new(), BTreeMap::new());
    for entry in entries {
        if others.contains(&entry.key.as_str()) {
            kept.insert(entry.key, entry.node);
        } else {
            own.push(entry);
        }
    }
    let is_pipeline = |key: &str| key == PIPELINE;
    let is_bare = own
        .iter()
        .any(|e| matches!(e.key.as_str(), "stages" | "name" | "roleArn"));
    let misspelt = |key: &str| !is_bare && nearest(key, [PIPELINE]).is_some();
    let wrapped = own.iter().any(|e| is_pipeline(&e.key)) || own.iter().any(|e| misspelt(&e.key));
    if !wrapped {
        let node = Node {
            place: root.place,
            value: Value::Map(own),
        };
        return finish(decoder, node, kept);
    }
    let mut found = None;
    for entry in own {
        match entry.key.as_str() {
            PIPELINE => found = Some(entry.node),
            METADATA => {}
            key => {
                let message = format!("unknown field `{key}`");
                let path = Path::document().field(key.to_owned());
                let mut known = vec![PIPELINE, METADATA];
                known.extend(others);
                let meant = nearest(key, known.iter().copied());
                let help = match meant {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => format!("remove it; the fields here are {}", known.join(", ")),
                };
                let problem = Problem::new(rule::READING, Exception::Validation, path, message);
                decoder.report(problem.at(entry.key_place).with_help(help));
            }
        }
    }
    match found {
        Some(node) => finish(decoder, node, kept),
        None => Err(decoder.into_problems()),
    }
}

fn finish(
    mut decoder: Decoder,
    node: Node,
    others: BTreeMap<String, Node>,
) -> Result<Decoded, Vec<Problem>> {
    match pipeline(&mut decoder, &node, &Path::pipeline()) {
        Some(declaration) => {
            let (problems, damaged) = decoder.into_parts();
            Ok((
                Document {
                    declaration,
                    pipeline: node,
                    others,
                },
                problems,
                damaged,
            ))
        }
        None => Err(decoder.into_problems()),
    }
}
