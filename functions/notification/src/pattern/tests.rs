mod random;
mod reference;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;

fn pattern(pattern: &Value) -> Pattern {
    Pattern::read(pattern).unwrap_or_else(|refused| panic!("{pattern}: {refused:?}"))
}

#[track_caller]
fn check(wanted: &Value, matching: &[Value], others: &[Value]) {
    let pattern = pattern(wanted);
    for event in matching {
        assert!(pattern.matches(event), "{wanted} wants {event}");
        assert!(reference::matches(wanted, event), "{wanted} wants {event}");
    }
    for event in others {
        assert!(!pattern.matches(event), "{wanted} does not want {event}");
        assert!(
            !reference::matches(wanted, event),
            "{wanted} does not want {event}"
        );
    }
}

/// One field `x` with these acceptable values, and values that are and are not.
#[track_caller]
fn values(acceptable: &Value, matching: &[Value], others: &[Value]) {
    let event = |value: &Value| json!({ "x": value });
    let matching: Vec<Value> = matching.iter().map(event).collect();
    let others: Vec<Value> = others.iter().map(event).collect();
    check(&json!({ "x": acceptable }), &matching, &others);
}

#[test]
fn a_failed_action_is_found_as_the_user_guide_shows() {
    let wanted = json!({
        "source": ["aws.codepipeline"],
        "detail-type": ["CodePipeline Action Execution State Change"],
        "detail": {"state": ["FAILED"], "type": {"category": ["Approval"]}},
    });
    let event = |state: &str, category: &str| {
        json!({
            "source": "aws.codepipeline",
            "detail-type": "CodePipeline Action Execution State Change",
            "resources": ["arn:aws:codepipeline:us-east-1:1:p"],
            "detail": {"state": state, "type": {"category": category, "owner": "AWS"}},
        })
    };
    let others = [
        event("SUCCEEDED", "Approval"),
        event("FAILED", "Build"),
        json!({}),
        json!([]),
    ];
    check(&wanted, &[event("FAILED", "Approval")], &others);
}

#[test]
fn exact_values_null_and_empty_text() {
    values(
        &json!(["a", "b"]),
        &[json!("a"), json!("b")],
        &[json!("A"), json!(""), json!(1)],
    );
    values(
        &json!([null]),
        &[json!(null)],
        &[json!(""), json!("null"), json!([]), json!(0)],
    );
    values(&json!([""]), &[json!("")], &[json!(null), json!(" ")]);
    values(
        &json!([true]),
        &[json!(true)],
        &[json!(false), json!("true")],
    );
    values(
        &json!([1]),
        &[json!(1), json!(1.0)],
        &[json!("1"), json!(1.5), json!(-1)],
    );
    values(&json!([3.0e2]), &[json!(300), json!(300.0)], &[json!(301)]);
    // Whole numbers that one floating-point number stands for stay two numbers.
    values(
        &json!([9_007_199_254_740_993_u64]),
        &[],
        &[json!(9_007_199_254_740_992_u64)],
    );
    check(
        &json!({"x": ["a"]}),
        &[],
        &[json!({}), json!({"y": "a"}), json!({"x": {"y": "a"}})],
    );
}

#[test]
fn a_list_in_the_event_needs_one_acceptable_item() {
    values(
        &json!(["a"]),
        &[json!(["b", "a"]), json!([["a"]])],
        &[json!(["b"]), json!([])],
    );
    values(
        &json!([{"prefix": "arn:"}]),
        &[json!(["x", "arn:aws"])],
        &[json!(["x"])],
    );
    values(
        &json!([{"anything-but": "a"}]),
        &[json!(["a", "b"])],
        &[json!(["a"]), json!([])],
    );
}

#[test]
fn one_item_of_a_list_fits_all_that_is_asked_below() {
    let wanted = json!({"people": {"first": ["Ann"], "last": ["Jones"]}});
    let one = json!({"people": [{"first": "Ann", "last": "Jones"}, {"first": "Bob"}]});
    let two = json!({"people": [{"first": "Ann", "last": "Smith"},
                                {"first": "Bob", "last": "Jones"}]});
    check(&wanted, &[one], std::slice::from_ref(&two));
    // The same when a choice asks for the rest.
    let split = json!({"people": {"first": ["Ann"]},
                       "$or": [{"people": {"last": ["Jones"]}}, {"none": ["x"]}]});
    check(&split, &[], &[two]);
}

#[test]
fn prefix_and_suffix() {
    values(
        &json!([{"prefix": "us-"}]),
        &[json!("us-east-1")],
        &[json!("US-x"), json!("xus-")],
    );
    values(
        &json!([{"prefix": ""}]),
        &[json!(""), json!("a")],
        &[json!(1), json!(null)],
    );
    values(
        &json!([{"suffix": ".png"}]),
        &[json!("a.png")],
        &[json!("a.PNG"), json!("png")],
    );
    let folded = json!([{"prefix": {"equals-ignore-case": "EventB"}}]);
    values(
        &folded,
        &[json!("EVENTBridge"), json!("eventb")],
        &[json!("event")],
    );
    let folded = json!([{"suffix": {"equals-ignore-case": ".Png"}}]);
    values(
        &folded,
        &[json!("a.PNG"), json!("a.png")],
        &[json!("a.jpg")],
    );
}

#[test]
fn equals_ignore_case() {
    let folded = json!([{"equals-ignore-case": "ALICE Ü"}]);
    values(
        &folded,
        &[json!("alice ü"), json!("Alice Ü")],
        &[json!("alice"), json!(null)],
    );
}

#[test]
fn wildcards() {
    let wanted = json!([{"wildcard": "dir/*/file*.png"}]);
    let matching = [
        json!("dir/a/file.png"),
        json!("dir/a/b/file1.png"),
        json!("dir//file.png.png"),
    ];
    values(
        &wanted,
        &matching,
        &[json!("dir/file.png"), json!("x dir/a/file.png")],
    );
    values(
        &json!([{"wildcard": "*"}]),
        &[json!(""), json!("a*b")],
        &[json!(1)],
    );
    values(
        &json!([{"wildcard": "*ab*ab"}]),
        &[json!("abab"), json!("xababab")],
        &[json!("ab")],
    );
    values(
        &json!([{"wildcard": r"a\*b\\*"}]),
        &[json!(r"a*b\c")],
        &[json!(r"axb\c"), json!("a*b")],
    );
    values(
        &json!([{"wildcard": "plain"}]),
        &[json!("plain")],
        &[json!("plains"), json!("")],
    );
    // A start and an end that overlap are not both there.
    values(
        &json!([{"wildcard": "aba*aba"}]),
        &[json!("abaaba")],
        &[json!("ababa"), json!("aba")],
    );
}

#[test]
fn anything_but() {
    values(
        &json!([{"anything-but": "a"}]),
        &[json!("b"), json!(1), json!(null)],
        &[json!("a")],
    );
    values(
        &json!([{"anything-but": ["a", "b"]}]),
        &[json!("c")],
        &[json!("a"), json!("b")],
    );
    values(
        &json!([{"anything-but": [1, 2]}]),
        &[json!(3), json!("1")],
        &[json!(1.0), json!(2)],
    );
    values(
        &json!([{"anything-but": {"prefix": "in"}}]),
        &[json!("x")],
        &[json!("init")],
    );
    values(
        &json!([{"anything-but": {"suffix": [".a", ".b"]}}]),
        &[json!("c")],
        &[json!("x.b")],
    );
    values(
        &json!([{"anything-but": {"wildcard": "*/lib/*"}}]),
        &[json!("a/b")],
        &[json!("/lib/")],
    );
    let folded = json!([{"anything-but": {"equals-ignore-case": ["A", "b"]}}]);
    values(&folded, &[json!("c")], &[json!("a"), json!("B")]);
    check(
        &json!({"x": [{"anything-but": "a"}]}),
        &[],
        &[json!({}), json!({"x": {"y": 1}})],
    );
}

#[test]
fn numeric() {
    let n = |list: Value| json!([{ "numeric": list }]);
    values(
        &n(json!(["=", 300])),
        &[json!(300), json!(3.0e2)],
        &[json!(299), json!("300")],
    );
    values(
        &n(json!([">", 0, "<=", 5])),
        &[json!(5), json!(0.1)],
        &[json!(0), json!(5.01)],
    );
    values(
        &n(json!(["<", 10])),
        &[json!(-1e300), json!(9.9)],
        &[json!(10), json!(null)],
    );
    values(
        &n(json!([">=", -5.0e9])),
        &[json!(-5_000_000_000_i64)],
        &[json!(-5_000_000_001_i64)],
    );
}

#[test]
fn exists_is_about_leaves() {
    let x = |exists: bool| json!({"x": [{"exists": exists}]});
    let there = [
        json!({"x": 1}),
        json!({"x": null}),
        json!({"x": [{"y": 1}, "a"]}),
    ];
    check(
        &x(true),
        &there,
        &[json!({}), json!({"x": {"y": 1}}), json!({"x": []})],
    );
    let absent = [json!({}), json!({"x": {"y": 1}}), json!({"x": []})];
    check(&x(false), &absent, &[json!({"x": 1}), json!({"x": null})]);
    let inside = json!({"detail": {"x": [{"exists": false}]}});
    check(
        &inside,
        &[json!({}), json!({"detail": "text"})],
        &[json!({"detail": {"x": 1}})],
    );
}

#[test]
fn cidr() {
    let v4 = json!([{"cidr": "10.0.0.0/24"}]);
    values(
        &v4,
        &[json!("10.0.0.255")],
        &[json!("10.0.1.0"), json!("::1"), json!("x"), json!(10)],
    );
    values(
        &json!([{"cidr": "10.9.8.7/0"}]),
        &[json!("255.1.1.1")],
        &[json!("::")],
    );
    values(
        &json!([{"cidr": "2001:db8::/32"}]),
        &[json!("2001:db8:1::1")],
        &[json!("2001:db9::1")],
    );
    values(
        &json!([{"cidr": "::1/128"}]),
        &[json!("::1")],
        &[json!("::2")],
    );
}

#[test]
fn or_at_any_level() {
    let wanted = json!({"source": ["s"], "detail": {"$or": [
        {"count": [{"numeric": [">", 5]}]},
        {"count": [{"exists": false}], "state": ["FAILED"]},
    ]}});
    let event = |detail: Value| json!({"source": "s", "detail": detail});
    let matching = [
        event(json!({"count": 6})),
        event(json!({"state": "FAILED"})),
    ];
    let others = [
        event(json!({"count": 5, "state": "FAILED"})),
        json!({"detail": {"count": 6}}),
    ];
    check(&wanted, &matching, &others);
    let nested = json!({"$or": [{"$or": [{"a": ["1"]}, {"b": ["1"]}]}, {"c": ["1"]}]});
    let matching = [json!({"a": "1"}), json!({"b": "1"}), json!({"c": "1"})];
    check(&nested, &matching, &[json!({"d": "1"})]);
}

#[track_caller]
fn refused(pattern: &Value, expected: &Expect) {
    let refused = Pattern::read(pattern).expect_err("it is refused");
    let lines: Vec<String> = refused.iter().map(ToString::to_string).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn what_is_not_understood_is_refused_where_it_stands() {
    refused(
        &json!("x"),
        &expect![[
            r#"document: the pattern is a string, where an object is expected; help: write it like the event, with a list at each leaf: {"source": ["aws.codepipeline"]}"#
        ]],
    );
    refused(
        &json!({}),
        &expect![
            "document: an empty object says nothing; help: remove it, or name a field with a list of what it may be"
        ],
    );
    refused(
        &json!({
            "source": "aws.codepipeline",
            "detail": {
                "a": [],
                "b": {},
                "c": [["x"]],
                "d": [{"prefx": "x"}],
                "e": [{"regex": "x"}],
                "f": [{"prefix": "a", "suffix": "b"}],
                "g": [{"prefix": 5}, {"suffix": {"wildcard": "x"}}],
                "h": [{"wildcard": "a**b"}, {"wildcard": "\\d"}],
                "i": [{"exists": "yes"}],
                "j": [{"cidr": "10.0.0.0"}, {"cidr": "10.0.0.0/33"}],
                "k": [{"anything-but": ["a", 1]}, {"anything-but": null}, {"anything-but": []}],
                "l": [{"anything-but": {"prefix": ""}}, {"anything-but": {"numeric": ["=", 1]}}],
            },
            "$or": [],
        }),
        &expect![[r#"
            ["$or"]: `$or` holds no choices; help: write a list of objects: {"$or": [{"a": ["x"]}, {"b": ["y"]}]}
            detail.a: an empty list accepts nothing; help: name what is acceptable, or write [{"exists": false}]
            detail.b: an empty object says nothing; help: remove it, or name a field with a list of what it may be
            detail.c[0]: a list stands in a list; help: write its items into the outer list
            detail.d[0]: there is no matcher `prefx` here; help: did you mean `prefix`?
            detail.e[0]: there is no matcher `regex` here; help: write one of: prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, exists, cidr
            detail.f[0]: an object in a list has one member, and this has 2; help: write one object for each matcher
            detail.g[0].prefix: the value is a number, where a string is expected; help: write a string
            detail.g[1].suffix: there is no matcher `wildcard` here; help: write one of: equals-ignore-case
            detail.h[0].wildcard: two stars stand side by side; help: write one star
            detail.h[1].wildcard: a backslash stands before neither a star nor a backslash; help: write `\\` for a backslash and `\*` for a star
            detail.i[0].exists: the value is a string, where true or false is expected; help: write true or false
            detail.j[0].cidr: the value is a string, where a range of addresses like "10.0.0.0/24" is expected; help: write a range of addresses like "10.0.0.0/24"
            detail.j[1].cidr: the value is a string, where a range of addresses like "10.0.0.0/24" is expected; help: write a range of addresses like "10.0.0.0/24"
            detail.k[0].anything-but: the value is a list, where a list of strings, or one of numbers is expected; help: write a list of strings, or one of numbers
            detail.k[1].anything-but: the value is null, where a string, a number or a list of them is expected; help: write a string, a number or a list of them
            detail.k[2].anything-but: the value is a list, where a list of strings, or one of numbers is expected; help: write a list of strings, or one of numbers
            detail.l[0].anything-but.prefix: the value is a string, where a string that is not empty is expected; help: write a string that is not empty
            detail.l[1].anything-but: there is no matcher `numeric` here; help: write one of: prefix, suffix, equals-ignore-case, wildcard
            source: the value is a string, where a list is expected; help: write ["aws.codepipeline"]"#]],
    );
}

#[test]
fn comparisons_that_make_no_range_are_refused() {
    refused(
        &json!({"a": [{"numeric": "5"}], "b": [{"numeric": ["=="]}], "c": [{"numeric": ["==", 1]}],
        "d": [{"numeric": ["=", 5.1e9]}], "e": [{"numeric": ["<", 5, ">", 1]}],
        "f": [{"numeric": []}], "g": [{"numeric": [">", 5, "<", 1]}]}),
        &expect![[r#"
            a[0].numeric: the value is a string, where a list like ["=", 5], [">", 0] or [">=", 0, "<", 5] is expected; help: write a list like ["=", 5], [">", 0] or [">=", 0, "<", 5]
            b[0].numeric: the value is a list, where a list like ["=", 5], [">", 0] or [">=", 0, "<", 5] is expected; help: write a list like ["=", 5], [">", 0] or [">=", 0, "<", 5]
            c[0].numeric[0]: the value is a string, where one of =, <, <=, >, >= is expected; help: write one of =, <, <=, >, >=
            d[0].numeric[1]: the value is a number, where a number from -5000000000 to 5000000000 is expected; help: write a number from -5000000000 to 5000000000
            e[0].numeric: the comparisons are no range; help: write a list like ["=", 5], [">", 0] or [">=", 0, "<", 5], the lower bound first
            f[0].numeric: the comparisons are no range; help: write a list like ["=", 5], [">", 0] or [">=", 0, "<", 5], the lower bound first
            g[0].numeric: the comparisons are no range; help: write a list like ["=", 5], [">", 0] or [">=", 0, "<", 5], the lower bound first"#]],
    );
}

#[test]
fn a_pattern_has_bounds() {
    refused(
        &json!({"a": ["x".repeat(PATTERN_BYTES_MAX)]}),
        &expect![
            "document: the pattern takes 4106 bytes, and the most is 4096; help: make several rules of it"
        ],
    );
    let mut deep = json!(["x"]);
    for _ in 0..PATTERN_DEPTH_MAX {
        deep = json!({ "a": deep });
    }
    assert!(Pattern::read(&deep).is_ok());
    refused(
        &json!({ "a": deep }),
        &expect![
            "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a: objects are nested more than 16 levels deep; help: no event is so deep: remove the inner ones"
        ],
    );
    let three = |field: &str| json!([{field: ["1"]}, {field: ["2"]}, {field: ["3"]}]);
    let choices = |count: usize| -> Value {
        let inner = (0..count).fold(
            json!({"z": ["1"]}),
            |inner, at| json!({"n": inner, "$or": three(&format!("f{at}"))}),
        );
        json!({ "n": inner })
    };
    assert!(Pattern::read(&choices(5)).is_ok());
    refused(
        &choices(6),
        &expect![
            "n.n: the choices of `$or` make more than 256 combinations; help: make several rules of it"
        ],
    );
}

#[test]
fn a_hostile_event_costs_no_more_than_its_size() {
    let wanted = pattern(&json!({"x": [{"wildcard": "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"}]}));
    assert!(!wanted.matches(&json!({"x": "a".repeat(200_000)})));
    let mut nested = json!("a");
    for _ in 0..100 {
        nested = json!([nested, nested_pair()]);
    }
    assert!(!wanted.matches(&json!({ "x": nested })));
}

fn nested_pair() -> Value {
    json!([["a", "a"], ["a", "a"]])
}
