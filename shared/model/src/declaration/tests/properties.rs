//! What holds for any text and any declaration.

use proptest::prelude::*;

use super::{Context, Format, GOOD, good, read, read_valid};
use crate::declaration::{
    PipelineDeclaration, normalise::masked, problem::api_error, reference::references,
    validate::validate,
};

/// The good pipeline with a stretch of it replaced by something else.
fn mangled() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,12}",
        Just("#{".to_owned()),
        Just(": ".to_owned()),
        Just("\n  - ".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("null".to_owned()),
        Just("-1".to_owned()),
    ];
    (0..GOOD.len(), 0_usize..40, piece).prop_map(|(from, length, piece)| {
        let to = (from + length).min(GOOD.len());
        // The good pipeline is ASCII, so every byte is a boundary.
        format!("{}{piece}{}", &GOOD[..from], &GOOD[to..])
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        for format in [Format::Json, Format::Yaml] {
            if let Err(problems) = read_valid(&text, format, &[], &Context::default()) {
                prop_assert!(!problems.is_empty());
            }
        }
    }

    #[test]
    fn every_problem_of_a_mangled_file_has_a_place_in_it(text in mangled()) {
        let Err(problems) = read_valid(&text, Format::Yaml, &[], &Context::default()) else {
            return Ok(());
        };
        prop_assert!(api_error(&problems).is_some());
        for problem in problems {
            let place = problem.place.expect("a problem of a file has a place");
            prop_assert!(place.line >= 1 && place.line <= text.lines().count() + 1, "{}", problem);
            prop_assert!(place.column >= 1 && place.end_column > place.column, "{}", problem);
        }
    }

    #[test]
    fn what_is_accepted_survives_json(text in mangled()) {
        let Ok(document) = read_valid(&text, Format::Yaml, &[], &Context::default()) else {
            return Ok(());
        };
        let json = serde_json::to_string(&document.declaration).expect("a declaration is JSON");
        let again = read_valid(&json, Format::Json, &[], &Context::default());
        prop_assert_eq!(again.expect("it was accepted before").declaration, document.declaration);
    }

    #[test]
    fn references_cover_their_ranges(text in "(#\\{|[a-c.}@ü]){0,20}") {
        if let Ok(found) = references(&text) {
            let mut end = 0;
            for one in found {
                prop_assert!(one.range.start >= end);
                end = one.range.end;
                let spelt = format!("#{{{}.{}}}", one.namespace, one.key);
                prop_assert_eq!(&text[one.range], spelt);
            }
        }
    }

    #[test]
    fn typed_declarations_of_any_strings_are_checked(
        name in "\\PC{0,10}",
        value in "\\PC{0,30}",
        order in any::<u32>(),
        at in 0_usize..3,
    ) {
        let mut declaration: PipelineDeclaration = good();
        let action = &mut declaration.stages[at].actions[0];
        action.name.clone_from(&name);
        action.namespace = Some(name);
        action.run_order = order;
        action.configuration.insert(value.clone(), value.clone());
        action.commands.push(value);
        let _ = validate(&declaration, &Context::default());
        let _ = masked(&declaration);
    }
}

#[test]
fn the_good_pipeline_is_ascii_so_that_it_can_be_cut_anywhere() {
    assert!(GOOD.is_ascii());
    assert!(read(GOOD, Format::Yaml, &[]).is_ok());
}
