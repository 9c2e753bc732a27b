//! Who may do what with which project, and how much of it there may be.

use std::{collections::BTreeMap, sync::Arc};

use access::{
    keys::{Holder, Secret},
    policy::Policy,
};
use model::project::{Settings, SettingsChange, Tag};
use pipewright_operations::{
    Caller, OperationError,
    codebuild::{
        BatchGetProjects, CodeBuildError, ListBuilds, ListProjects, ProjectOrder, StartBuild,
        batch_get_projects, list_builds, list_projects, start_build,
    },
};

use crate::bench::{Bench, not_found, settings};

fn caller(statement: &str) -> Caller {
    let policy = format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#);
    let holder = Holder {
        access_key: "PWKEY".to_owned(),
        secret: Secret::new("secret"),
        arn: "arn:aws:iam::111122223333:user/bob".to_owned(),
        policies: vec![Policy::read(&policy).expect("a policy")],
        session: None,
    };
    Caller::of_key(Arc::new(holder), BTreeMap::new())
}

fn denied<T>(result: &Result<T, CodeBuildError>) -> bool {
    matches!(
        result,
        Err(CodeBuildError::Operation(OperationError::Denied(_)))
    )
}

#[tokio::test]
async fn a_policy_names_projects_by_their_arns_and_tags() {
    let bench = Bench::new();
    bench.project(settings("web")).await;
    let tags = vec![Tag {
        key: "Team".to_owned(),
        value: "shop".to_owned(),
    }];
    bench
        .project(Settings {
            tags,
            ..settings("shop")
        })
        .await;
    let start = async |by: &Caller, project: &str| {
        let request = StartBuild {
            by: by.clone(),
            ..Bench::request(project)
        };
        start_build(&bench.codebuild, request).await
    };
    let by_arn = caller(
        r#"{"Effect": "Allow", "Action": "codebuild:StartBuild",
            "Resource": "arn:aws:codebuild:*:111122223333:project/w*"}"#,
    );
    let started = start(&by_arn, "web").await.expect("it is allowed");
    assert_eq!(started.record.initiator, "bob");
    assert!(denied(&start(&by_arn, "shop").await));
    let by_tag = caller(
        r#"{"Effect": "Allow", "Action": "codebuild:*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/Team": "shop"}}}"#,
    );
    assert!(denied(&start(&by_tag, "web").await));
    assert!(start(&by_tag, "shop").await.is_ok());
    let get = BatchGetProjects {
        names: vec!["shop".to_owned(), "web".to_owned()],
        by: by_tag.clone(),
    };
    assert!(denied(&batch_get_projects(&bench.codebuild, get).await));
    let list = ListProjects {
        order: ProjectOrder::Name,
        is_descending: false,
        after: None,
        by: by_tag,
    };
    assert!(denied(&list_projects(&bench.codebuild, list).await));
}

#[tokio::test]
async fn no_more_builds_are_under_way_than_the_project_lets() {
    let bench = Bench::new();
    let limited = Settings {
        concurrent_build_limit: Some(1),
        ..settings("web")
    };
    bench.project(limited).await;
    bench.start("web").await.expect("there is room");
    let second = bench.start("web").await;
    assert!(matches!(second, Err(CodeBuildError::LimitExceeded(_))));
    let change = SettingsChange {
        concurrent_build_limit: Some(2),
        ..SettingsChange::default()
    };
    bench.update("web", change).await.expect("it is there");
    assert!(bench.start("web").await.is_ok());
    let nothing = bench.update("none", SettingsChange::default()).await;
    assert!(not_found(&nothing));
}

#[tokio::test]
async fn lists_have_pages_in_either_order() {
    let bench = Bench::new();
    bench.project(settings("web")).await;
    let mut started = Vec::new();
    for _ in 0..101 {
        let build = bench.start("web").await.expect("there is room");
        started.push(format!("web:{}", build.record.id));
    }
    started.reverse();
    let list = async |project: Option<&str>, behind| {
        let request = ListBuilds {
            project: project.map(str::to_owned),
            newest_first: true,
            behind,
            by: Bench::owner(),
        };
        list_builds(&bench.codebuild, request).await
    };
    for project in [None, Some("web")] {
        let first = list(project, None).await.expect("it is there");
        assert_eq!(first.items, started[..100]);
        let second = list(project, first.next).await.expect("it is there");
        assert_eq!(second.items, started[100..]);
        assert_eq!(second.next, None);
    }
    assert!(not_found(&list(Some("none"), None).await));
}
