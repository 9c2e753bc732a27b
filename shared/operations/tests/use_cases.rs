//! Use cases, in a world of real adapters in which nobody works.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking")]

use std::{collections::BTreeMap, sync::Arc};

use embedded::{GitRepositories, ManualClock, Objects, SeededRandom, Store};
use model::{
    ActionOutput, ActionStatus, Input, Job, PipelineDeclaration, Timestamp,
    job::{ActionResult, ErrorDetails},
    state::{Trigger, TriggerType},
};
use pipewright_operations::{
    Caller, CreatePipeline, OperationError, StartPipelineExecution, UpdatePipeline, apply_inputs,
    create_pipeline, start_pipeline_execution, update_pipeline,
};
use ports::{Account, StoreError, World, nobody::Nobody};

fn world() -> World {
    let clock = Arc::new(ManualClock::new(Timestamp(1_547_106_937_000)));
    let store = Arc::new(Store::in_memory().unwrap());
    let nowhere = tempfile::tempdir().unwrap();
    World {
        account: Arc::new(Account {
            id: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
        }),
        objects: Arc::new(Objects::temporary(clock.clone()).unwrap()),
        clock,
        random: Arc::new(SeededRandom::new(1)),
        pipelines: store.clone(),
        queues: Arc::new(Nobody),
        bus: Arc::new(Nobody),
        builds: Arc::new(Nobody),
        projects: store,
        repositories: Arc::new(GitRepositories::new(BTreeMap::new(), nowhere.path())),
    }
}

/// A PARALLEL pipeline: a source, then four approvals side by side.
async fn pipeline(world: &World) {
    let approvals: Vec<String> = (0..4)
        .map(|at| {
            format!(
                r#"{{"name": "Approve{at}",
                    "actionTypeId": {{"category": "Approval", "owner": "AWS",
                                     "provider": "Manual", "version": "1"}}}}"#
            )
        })
        .collect();
    let json = format!(
        r#"{{"name": "web", "pipelineType": "V2", "executionMode": "PARALLEL",
            "roleArn": "arn:aws:iam::111122223333:role/pipeline",
            "artifactStore": {{"type": "S3", "location": "artifacts"}},
            "stages": [
              {{"name": "Source", "actions": [{{"name": "Fetch",
                "actionTypeId": {{"category": "Source", "owner": "AWS",
                                 "provider": "S3", "version": "1"}},
                "configuration": {{"S3Bucket": "incoming", "S3ObjectKey": "app.zip"}},
                "outputArtifacts": [{{"name": "Out"}}]}}]}},
              {{"name": "Release", "actions": [{}]}}]}}"#,
        approvals.join(",")
    );
    let declaration: PipelineDeclaration = serde_json::from_str(&json).unwrap();
    let by = Caller::owner("test");
    let request = CreatePipeline {
        declaration,
        tags: Vec::new(),
        starts: false,
        by,
    };
    let created = create_pipeline(world, request).await;
    created.unwrap();
}

/// Starts executions, and gives the jobs of their sources.
async fn started(world: &World, count: usize) -> Vec<Arc<Job>> {
    for _ in 0..count {
        let request = StartPipelineExecution {
            pipeline: "web".to_owned(),
            trigger: Trigger {
                kind: TriggerType::StartPipelineExecution,
                detail: "test".to_owned(),
            },
            variables: BTreeMap::new(),
            source_revisions: Vec::new(),
            client_request_token: None,
            by: Caller::owner("test"),
        };
        start_pipeline_execution(world, request).await.unwrap();
    }
    let jobs = world.pipelines.open_jobs(None, 1_000).await.unwrap();
    assert_eq!(jobs.len(), count);
    jobs
}

fn finished(job: &Job, result: ActionResult) -> Input {
    let key = job.key.clone();
    Input::ActionFinished { key, result }
}

/// How many approvals wait for an answer.
async fn asked(world: &World) -> usize {
    let loaded = world.pipelines.load("web", None).await.unwrap().unwrap();
    let executions = loaded.state.executions.values();
    let stages = executions.filter_map(|execution| execution.stages.get("Release"));
    stages
        .flat_map(|stage| stage.actions.values())
        .filter(|action| action.status == ActionStatus::InProgress)
        .count()
}

#[tokio::test]
async fn results_that_order_more_than_a_commit_holds_take_several() {
    let world = world();
    pipeline(&world).await;
    let jobs = started(&world, 32).await;
    let good = || ActionResult::Succeeded(ActionOutput::default());
    let inputs: Vec<_> = jobs.iter().map(|job| finished(job, good())).collect();
    apply_inputs(&world, "web", &inputs).await.unwrap();
    assert_eq!(asked(&world).await, 32 * 4);
    apply_inputs(&world, "web", &inputs).await.unwrap();
    assert_eq!(asked(&world).await, 32 * 4, "a repeat changes nothing");
}

#[tokio::test]
async fn a_result_that_cannot_be_stored_does_not_keep_the_others_waiting() {
    let world = world();
    pipeline(&world).await;
    let jobs = started(&world, 3).await;
    let good = || ActionResult::Succeeded(ActionOutput::default());
    let monstrous = ActionResult::Failed {
        error: ErrorDetails::system("x".repeat(1_000_000)),
        output: ActionOutput::default(),
    };
    let inputs = [
        finished(&jobs[0], good()),
        finished(&jobs[1], monstrous),
        finished(&jobs[2], good()),
    ];
    let error = apply_inputs(&world, "web", &inputs).await.unwrap_err();
    let is_too_large = matches!(error, OperationError::Store(StoreError::TooLarge { .. }));
    assert!(is_too_large, "{error}");
    assert_eq!(asked(&world).await, 2 * 4);
}

/// spec 20, rule 23: a definition that was read goes back as it is shown, and its secrets stay.
#[tokio::test]
async fn an_update_keeps_the_secrets_that_are_masked() {
    let world = world();
    let declare = |token: &str| -> PipelineDeclaration {
        let json = format!(
            r#"{{"name": "web", "roleArn": "arn:aws:iam::111122223333:role/pipeline",
                "artifactStore": {{"type": "S3", "location": "artifacts"}},
                "stages": [
                  {{"name": "Source", "actions": [{{"name": "Fetch",
                    "actionTypeId": {{"category": "Source", "owner": "ThirdParty",
                                     "provider": "GitHub", "version": "1"}},
                    "configuration": {{"Owner": "ann", "Repo": "web", "Branch": "main",
                                      "OAuthToken": "{token}"}},
                    "outputArtifacts": [{{"name": "Out"}}]}}]}},
                  {{"name": "Release", "actions": [{{"name": "Approve",
                    "actionTypeId": {{"category": "Approval", "owner": "AWS",
                                     "provider": "Manual", "version": "1"}}}}]}}]}}"#
        );
        serde_json::from_str(&json).unwrap()
    };
    let by = || Caller::owner("test");
    let request = CreatePipeline {
        declaration: declare("secret"),
        tags: Vec::new(),
        starts: false,
        by: by(),
    };
    create_pipeline(&world, request).await.unwrap();
    let request = UpdatePipeline {
        declaration: declare("****"),
        by: by(),
    };
    let updated = update_pipeline(&world, request).await.unwrap();
    assert_eq!(updated.version, Some(2));
    let stored = world.pipelines.definition("web", 2).await.unwrap().unwrap();
    let fetch = stored.stage("Source").unwrap().1.action("Fetch").unwrap();
    assert_eq!(fetch.configuration["OAuthToken"], "secret");

    // Under another name there is no secret to keep.
    let mut renamed = declare("****");
    renamed.stages[0].actions[0].name = "Get".to_owned();
    let request = UpdatePipeline {
        declaration: renamed,
        by: by(),
    };
    let refused = update_pipeline(&world, request).await.unwrap_err();
    assert!(matches!(refused, OperationError::Invalid(_)), "{refused}");
}
