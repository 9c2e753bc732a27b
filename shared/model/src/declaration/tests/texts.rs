//! Texts that are no declaration, and where each says that it is not.

use expect_test::expect;

use super::{Format, check_text as check, edited, read};
use crate::declaration::node::{DEPTH_MAX, DOCUMENT_BYTES_MAX};

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a table of texts and what is said of each"
)]
fn broken_yaml_says_where() {
    check(
        "name: [a\nstages: b\n",
        Format::Yaml,
        &expect![[r#"
            0   2:7: document: the text is not YAML: illegal placement of ':' indicator [SerializationException]
        "#]],
    );
    check(
        "a: 1\na: 2\n",
        Format::Yaml,
        &expect![[r#"
            0   2:1: document: the text is not YAML: duplicated key in mapping [SerializationException]
        "#]],
    );
    check(
        "a: 'open\n",
        Format::Yaml,
        &expect![[r#"
            0   1:4: document: the text is not YAML: while scanning a quoted scalar, found unexpected end of stream [SerializationException]
        "#]],
    );
    check(
        "",
        Format::Yaml,
        &expect![[r#"
            0   1:1: document: the text holds no declaration [SerializationException]
        "#]],
    );
    check(
        "# nothing\n",
        Format::Yaml,
        &expect![[r#"
            0   1:1: document: the text holds no declaration [SerializationException]
        "#]],
    );
    check(
        "a: 1\n---\nb: 2\n",
        Format::Yaml,
        &expect![[r#"
            0   3:1: document: the text holds more than one YAML document [SerializationException]
        "#]],
    );
    check(
        "- a\n",
        Format::Yaml,
        &expect![[r#"
            0   1:1: document: the text is a list, where a map is expected [SerializationException]
        "#]],
    );
    check(
        "just text\n",
        Format::Yaml,
        &expect![[r#"
            0   1:1: document: the text is a string, where a map is expected [SerializationException]
        "#]],
    );
    check(
        "name: !mine a\n",
        Format::Yaml,
        &expect![[r#"
            0   1:7: document: the tag `!mine` has no meaning here [SerializationException]; help: write the value without the tag
        "#]],
    );
    check(
        "name: !!int a\n",
        Format::Yaml,
        &expect![[r#"
            0   1:7: document: this value does not fit its YAML tag [SerializationException]
        "#]],
    );
    check(
        "? [a]\n: b\n",
        Format::Yaml,
        &expect![[r#"
            0   1:3: document: a key must be a string [SerializationException]
        "#]],
    );
    check(
        "a: *b\n",
        Format::Yaml,
        &expect![[r#"
            0   1:4: document: the text is not YAML: while parsing node, found unknown anchor [SerializationException]
        "#]],
    );
}

#[test]
fn broken_json_says_where() {
    check(
        "{\n  \"name\": \"ü\" \"x\"\n}",
        Format::Json,
        &expect![[r#"
            0   2:15: document: the text is not JSON: expected `,` or `}` [SerializationException]
        "#]],
    );
    check(
        "{\"name\": \"a\",}",
        Format::Json,
        &expect![[r#"
            0   1:14: document: the text is not JSON: key must be a string [SerializationException]
        "#]],
    );
    check(
        "{// no\n}",
        Format::Json,
        &expect![[r#"
            0   1:2: document: the text is not JSON: key must be a string [SerializationException]
        "#]],
    );
    check(
        "",
        Format::Json,
        &expect![[r#"
            0   1:1: document: the text is not JSON: EOF while parsing a value [SerializationException]
        "#]],
    );
    check(
        "[]",
        Format::Json,
        &expect![[r#"
            0   1:1: document: the text is a list, where a map is expected [SerializationException]
        "#]],
    );
    check(
        "{\"name\": 1",
        Format::Json,
        &expect![[r#"
            0   1:10: document: the text is not JSON: EOF while parsing an object [SerializationException]
        "#]],
    );
    check(
        "{\"name\": \"a\", \"name\": \"b\",\n \"name\": \"c\"}",
        Format::Json,
        &expect![[r#"
            0   1:15: document: the key `name` occurs twice in one object [SerializationException]
            0   2:2: document: the key `name` occurs twice in one object [SerializationException]
        "#]],
    );
    check(
        "{\"name\": \"a\\q\"}",
        Format::Json,
        &expect![[r#"
            0   1:13: document: the text is not JSON: invalid escape [SerializationException]
        "#]],
    );
}

#[test]
fn places_count_characters_from_one() {
    check(
        "{\n  \"naïve\": \"é\", \"name\": 1e400\n}",
        Format::Json,
        &expect![[r#"
            1   1:1: roleArn: Value null at 'pipeline.roleArn' failed to satisfy constraint: Member must not be null [ValidationException]; help: add `roleArn`
            1   1:1: stages: Value null at 'pipeline.stages' failed to satisfy constraint: Member must not be null [ValidationException]; help: add `stages`
            4   1:1: artifactStore: The pipeline has no artifact store [InvalidStructureException]; help: add `artifactStore` with `type: S3` and the bucket as `location`
            0   2:3: naïve: unknown field `naïve` [ValidationException]; help: remove it; the fields here are name, roleArn, artifactStore, artifactStores, stages, version, executionMode, pipelineType, variables, triggers
            0   2:25: name: `name` is a number, where a string is expected [SerializationException]; help: put the value in quotes: "1e400"
        "#]],
    );
    check(
        "\u{feff}{ü: [é, é], name: {}}\n",
        Format::Yaml,
        &expect![[r#"
            1   1:1: roleArn: Value null at 'pipeline.roleArn' failed to satisfy constraint: Member must not be null [ValidationException]; help: add `roleArn`
            1   1:1: stages: Value null at 'pipeline.stages' failed to satisfy constraint: Member must not be null [ValidationException]; help: add `stages`
            4   1:1: artifactStore: The pipeline has no artifact store [InvalidStructureException]; help: add `artifactStore` with `type: S3` and the bucket as `location`
            0   1:2: ü: unknown field `ü` [ValidationException]; help: remove it; the fields here are name, roleArn, artifactStore, artifactStores, stages, version, executionMode, pipelineType, variables, triggers
            0   1:19: name: `name` is a map, where a string is expected [SerializationException]
        "#]],
    );
    check(
        "name: ü\nroleArn: [ä, 1]\nstages: é\n",
        Format::Yaml,
        &expect![[r#"
            4   1:1: artifactStore: The pipeline has no artifact store [InvalidStructureException]; help: add `artifactStore` with `type: S3` and the bucket as `location`
            1   1:7: name: Value 'ü' at 'pipeline.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [A-Za-z0-9.@\-_]+ [ValidationException]; help: write it so that all of it matches [A-Za-z0-9.@\-_]+
            0   2:10: roleArn: `roleArn` is a list, where a string is expected [SerializationException]
            0   3:9: stages: `stages` is a string, where a list is expected [SerializationException]
        "#]],
    );
}

#[test]
fn texts_are_bounded_in_size_and_depth() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let text = format!("{{\"name\": {}}}", deep(DEPTH_MAX + 1));
    check(
        &text,
        Format::Json,
        &expect![[r#"
            0   1:74: document: values are nested more than 64 levels deep [SerializationException]
        "#]],
    );
    check(
        &text,
        Format::Yaml,
        &expect![[r#"
            0   1:74: document: values are nested more than 64 levels deep [SerializationException]
        "#]],
    );
    check(
        &deep(20_000),
        Format::Json,
        &expect![[r#"
            0   1:513: document: values are nested more than 64 levels deep [SerializationException]
        "#]],
    );
    check(
        &deep(20_000),
        Format::Yaml,
        &expect![[r#"
            0   1:256: document: the text is not YAML: recursion limit exceeded [SerializationException]
        "#]],
    );
    let long = format!("name: {}", "a".repeat(DOCUMENT_BYTES_MAX));
    check(
        &long,
        Format::Yaml,
        &expect![[r#"
            0   1:1: document: the text is longer than 1048576 bytes [SerializationException]
        "#]],
    );
}

#[test]
fn aliases_work_and_do_not_explode() {
    let text = edited(&[
        (
            "configuration: {RepositoryName: r",
            "configuration: &c {RepositoryName: &r r",
        ),
        ("{ProjectName: \"p-#{variables.Env}\"}", "{ProjectName: *r}"),
    ]);
    let read_back = read(&text, Format::Yaml, &[])
        .expect("aliases are values")
        .declaration;
    assert_eq!(
        read_back.stages[1].actions[0].configuration["ProjectName"],
        "r"
    );
    let level = |n: usize| format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1);
    let levels = (1..30).map(level).collect::<Vec<_>>().concat();
    let bomb = format!("a0: &a0 [x, x]\n{levels}");
    check(
        &bomb,
        Format::Yaml,
        &expect![[r#"
            0   15:18: document: the text is not YAML: alias expansion exceeded the maximum node budget (possible billion-laughs attack) [SerializationException]
        "#]],
    );
}
