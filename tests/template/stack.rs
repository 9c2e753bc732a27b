//! The template as AWS sees it: after the SAM transform, with parameters put in.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
    sync::OnceLock,
};

use pipewright_tests::{python::Python, root};
use serde_json::{Map, Value, json};

/// The account that stands in the names of things.
const ACCOUNT: &str = "111122223333";
const REGION: &str = "us-east-1";

/// What the parameters are where everything optional is wanted.
const EVERYTHING: &[(&str, &str)] = &[
    (
        "PipelineBuckets",
        "arn:aws:s3:::sources,arn:aws:s3:::releases",
    ),
    (
        "NotificationTopics",
        "arn:aws:sns:us-east-1:111122223333:ops,arn:aws:sns:us-east-1:111122223333:qa",
    ),
    ("ApprovalEmail", "ann@example.org"),
    ("ApprovalEndpoint", "https://example.org/approvals"),
    (
        "BuildImage",
        "111122223333.dkr.ecr.us-east-1.amazonaws.com/build:1",
    ),
    ("Subnets", "subnet-0a,subnet-0b"),
    ("SecurityGroups", "sg-0a"),
    ("Concurrency", "10"),
    ("Tracing", "Active"),
    ("KmsKeyArn", "arn:aws:kms:us-east-1:111122223333:key/k"),
    (
        "PermissionsBoundary",
        "arn:aws:iam::111122223333:policy/bound",
    ),
    ("AlarmTopicArn", "arn:aws:sns:us-east-1:111122223333:alarms"),
];

/// A template with values for its parameters.
pub(crate) struct Stack {
    template: Value,
    parameters: BTreeMap<String, String>,
}

/// A resource that the stack has, with everything in it resolved.
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) properties: Value,
}

impl Stack {
    /// What `sam deploy` makes if nothing is chosen.
    pub(crate) fn by_default() -> Self {
        Self::with(&[])
    }

    /// What it makes if every option is.
    pub(crate) fn with_everything() -> Self {
        Self::with(EVERYTHING)
    }

    fn with(chosen: &[(&str, &str)]) -> Self {
        let template = expanded().clone();
        let mut parameters = BTreeMap::new();
        let all = template["Parameters"].as_object().into_iter().flatten();
        for (name, parameter) in all {
            parameters.insert(name.clone(), plain(&parameter["Default"]));
        }
        for (name, value) in chosen {
            let known = parameters.insert((*name).to_owned(), (*value).to_owned());
            assert!(known.is_some(), "the template has no parameter {name}");
        }
        Self {
            template,
            parameters,
        }
    }

    /// The resources of a type, in the order of their names.
    pub(crate) fn all(&self, kind: &str) -> Vec<Resource> {
        let all = self.template["Resources"].as_object();
        let of_kind = all
            .into_iter()
            .flatten()
            .filter(|(_, it)| it["Type"] == kind);
        let there = of_kind.filter(|(_, it)| {
            let condition = it["Condition"].as_str();
            condition.is_none_or(|name| self.holds(&json!({"Condition": name})))
        });
        let mut found: Vec<_> = there
            .map(|(name, it)| Resource {
                name: name.clone(),
                properties: self.resolve(&it["Properties"]).unwrap_or_default(),
            })
            .collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found
    }

    /// The resources that outlive the stack.
    pub(crate) fn kept(&self) -> BTreeSet<String> {
        let all = self.template["Resources"].as_object();
        let kept = all.into_iter().flatten().filter(|(_, it)| {
            it["DeletionPolicy"] == "RetainExceptOnCreate" && it["UpdateReplacePolicy"] == "Retain"
        });
        kept.map(|(name, _)| name.clone()).collect()
    }

    /// The names of all parameters, and of those that `sam deploy --guided` shows in groups.
    pub(crate) fn parameters_and_groups(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let metadata = &self.template["Metadata"]["AWS::CloudFormation::Interface"];
        let groups = metadata["ParameterGroups"].as_array().into_iter().flatten();
        let grouped = groups.flat_map(|group| group["Parameters"].as_array().into_iter().flatten());
        (
            self.parameters.keys().cloned().collect(),
            grouped.map(plain).collect(),
        )
    }

    /// The one resource that a resolved value names.
    pub(crate) fn named<'a>(all: &'a [Resource], value: &Value) -> Option<&'a Resource> {
        let value = value.as_str()?;
        all.iter().find(|it| {
            value == it.name
                || value.ends_with(&format!("/{}", it.name))
                || value.ends_with(&format!(":{}", it.name))
        })
    }

    fn holds(&self, condition: &Value) -> bool {
        let Some((function, of)) = only(condition) else {
            return false;
        };
        let all = || of.as_array().into_iter().flatten();
        match function {
            "Condition" => {
                let name = of.as_str().unwrap_or_default();
                let condition = &self.template["Conditions"][name];
                assert!(condition.is_object(), "there is no condition {name}");
                self.holds(condition)
            }
            "Fn::Equals" => {
                self.resolve(&of[0]).map(|it| plain(&it))
                    == self.resolve(&of[1]).map(|it| plain(&it))
            }
            "Fn::Not" => !self.holds(&of[0]),
            "Fn::And" => all().all(|it| self.holds(it)),
            "Fn::Or" => all().any(|it| self.holds(it)),
            other => panic!("a condition with {other}"),
        }
    }

    /// The value with its functions put in; nothing where it is `AWS::NoValue`.
    fn resolve(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Array(all) => Some(all.iter().filter_map(|it| self.resolve(it)).collect()),
            Value::Object(object) => match only(value) {
                Some((function, of)) if function == "Ref" || function.starts_with("Fn::") => {
                    self.call(function, of)
                }
                _ => {
                    let all = object.iter();
                    let resolved: Map<_, _> = all
                        .filter_map(|(name, it)| Some((name.clone(), self.resolve(it)?)))
                        .collect();
                    Some(Value::Object(resolved))
                }
            },
            plain => Some(plain.clone()),
        }
    }

    fn call(&self, function: &str, of: &Value) -> Option<Value> {
        let argument = |place: usize| self.resolve(&of[place]).unwrap_or_default();
        Some(match function {
            "Ref" => return self.reference(of.as_str().unwrap_or_default()),
            "Fn::GetAtt" => self.attribute(&plain(&of[0]), &plain(&of[1])),
            "Fn::If" => {
                let place = if self.holds(&json!({"Condition": of[0]})) {
                    1
                } else {
                    2
                };
                return self.resolve(&of[place]);
            }
            "Fn::Sub" => self.substitute(of),
            "Fn::Join" => {
                let parts = argument(1);
                let parts: Vec<_> = parts.as_array().into_iter().flatten().map(plain).collect();
                json!(parts.join(&plain(&of[0])))
            }
            "Fn::Split" => {
                let text = plain(&argument(1));
                json!(text.split(&plain(&of[0])).collect::<Vec<_>>())
            }
            "Fn::Select" => {
                let place: usize = plain(&argument(0)).parse().unwrap_or_default();
                argument(1)[place].clone()
            }
            "Fn::GetAZs" => json!([format!("{REGION}a"), format!("{REGION}b")]),
            other => panic!("the template has {other}"),
        })
    }

    fn reference(&self, name: &str) -> Option<Value> {
        if name == "AWS::NoValue" {
            return None;
        }
        let pseudo = [
            ("AWS::AccountId", ACCOUNT),
            ("AWS::Partition", "aws"),
            ("AWS::Region", REGION),
            ("AWS::StackName", "pipewright"),
            ("AWS::URLSuffix", "amazonaws.com"),
        ];
        let known = pseudo.iter().find(|(of, _)| *of == name);
        let value = known.map(|(_, value)| (*value).to_owned());
        let value = value.or_else(|| self.parameters.get(name).cloned());
        let value = value.unwrap_or_else(|| match self.kind(name) {
            // These are known by their ARNs.
            "AWS::ECS::TaskDefinition" | "AWS::SNS::Topic" | "AWS::SecretsManager::Secret" => {
                arn(self.kind(name), name)
            }
            _ => name.to_owned(),
        });
        Some(json!(value))
    }

    fn attribute(&self, name: &str, attribute: &str) -> Value {
        match attribute {
            // The id of a secret is its ARN.
            "Arn" | "Id" => json!(arn(self.kind(name), name)),
            other => json!(format!("{name}-{other}")),
        }
    }

    fn kind(&self, name: &str) -> &str {
        let kind = self.template["Resources"][name]["Type"].as_str();
        kind.unwrap_or_else(|| panic!("the template has no {name}"))
    }

    /// `${Name}` and `${Name.Attribute}`, with names of its own first.
    fn substitute(&self, of: &Value) -> Value {
        let (text, own) = match of {
            Value::String(text) => (text.as_str(), &Value::Null),
            with_names => (with_names[0].as_str().unwrap_or_default(), &with_names[1]),
        };
        let mut parts = text.split("${");
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').expect("what is opened is closed");
            let value = match (own.get(name), name.split_once('.')) {
                (Some(own), _) => self.resolve(own),
                (None, Some((name, attribute))) => Some(self.attribute(name, attribute)),
                (None, None) => self.reference(name),
            };
            out.push_str(&plain(&value.unwrap_or_default()));
            out.push_str(rest);
        }
        json!(out)
    }
}

/// The name of a thing as its service writes it.
fn arn(kind: &str, name: &str) -> String {
    let of = |service: &str, rest: &str| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}");
    match kind {
        "AWS::DynamoDB::Table" => of("dynamodb", &format!("table/{name}")),
        "AWS::ECR::Repository" => of("ecr", &format!("repository/{name}")),
        "AWS::ECS::Cluster" => of("ecs", &format!("cluster/{name}")),
        "AWS::ECS::TaskDefinition" => of("ecs", &format!("task-definition/{name}:1")),
        "AWS::Events::EventBus" => of("events", &format!("event-bus/{name}")),
        "AWS::Events::Rule" => of("events", &format!("rule/{name}")),
        "AWS::IAM::Role" => format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
        "AWS::Lambda::Function" => of("lambda", &format!("function:{name}")),
        "AWS::Logs::LogGroup" => of("logs", &format!("log-group:{name}:*")),
        "AWS::S3::Bucket" => format!("arn:aws:s3:::{}", name.to_lowercase()),
        "AWS::SecretsManager::Secret" => of("secretsmanager", &format!("secret:{name}-abcdef")),
        "AWS::SNS::Topic" => of("sns", name),
        "AWS::SQS::Queue" => of("sqs", name),
        other => panic!("nobody said how {other} is named"),
    }
}

/// The one member of an object.
fn only(value: &Value) -> Option<(&str, &Value)> {
    let object = value.as_object()?;
    let (name, of) = object.iter().next()?;
    (object.len() == 1).then_some((name.as_str(), of))
}

/// A scalar as text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn expanded() -> &'static Value {
    static EXPANDED: OnceLock<Value> = OnceLock::new();
    EXPANDED.get_or_init(|| {
        let mut expand = sam().program("python");
        expand
            .arg(root().join("tests/template/expand.py"))
            .arg(root().join("template.yaml"))
            .env("AWS_DEFAULT_REGION", REGION);
        serde_json::from_str(&output(expand)).expect("the script prints JSON")
    })
}

/// The environment that deploys, too.
pub(crate) fn sam() -> Python {
    Python::with("sam", &root().join("tests/emulator/deploy.txt"))
}

/// An environment of one gate, named like its file of requirements.
pub(crate) fn gate(name: &str) -> Python {
    let requirements = Path::new("tests/template/requirements").join(format!("{name}.txt"));
    Python::with(name, &root().join(requirements))
}

/// What a program printed; a failure shows it.
pub(crate) fn output(mut command: Command) -> String {
    let output = command.output().expect("it was installed a moment ago");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{out}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    out
}
