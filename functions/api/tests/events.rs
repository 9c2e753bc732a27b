//! Every sample event through the API: what it answers, and what the audit trail says of it.

#![expect(
    clippy::needless_raw_string_hashes,
    reason = "expect-test writes transcripts with them"
)]

#[path = "events/bench.rs"]
mod bench;
#[cfg(feature = "lambda")]
#[path = "events/lambda.rs"]
mod lambda;

use std::{collections::BTreeSet, fs, path::Path};

use api::codepipeline;
use bench::{Bench, EVERYTHING, NOW, READING};
use expect_test::{Expect, expect};
use model::Timestamp;

const SAMPLES: [&str; 17] = [
    "agent-with-a-wrong-token",
    "another-method",
    "body-that-is-no-json",
    "body-without-anything",
    "bootstrap",
    "get-pipeline",
    "get-pipeline-of-a-wrong-type",
    "get-pipeline-state",
    "get-pipeline-that-is-not-there",
    "get-pipeline-with-three-mistakes",
    "list-pipelines",
    "operation-that-is-not-here-yet",
    "operation-that-nobody-has",
    "service-that-nobody-has",
    "signed-get-pipeline",
    "start-pipeline-execution",
    "tag-resource",
];

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/api")
}

#[test]
fn no_sample_is_left_out() {
    let files = fs::read_dir(folder()).expect("there are samples");
    let names: BTreeSet<String> = files
        .map(|file| file.expect("it can be read").path())
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    assert_eq!(names, SAMPLES.map(str::to_owned).into());
}

/// Sends the sample as whoever may do everything, and compares the answer.
async fn check(name: &str, expected: Expect) {
    let bench = Bench::new(EVERYTHING).await;
    let answer = bench.send(&Bench::sample(name), NOW).await;
    expected.assert_eq(&answer);
}

#[tokio::test]
async fn only_posts_are_operations() {
    check(
        "another-method",
        expect![[r#"
        404
        {
          "__type": "UnknownOperationException",
          "message": "GET / is nothing here: operations are called with POST /"
        }
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_body_must_be_json() {
    check(
        "body-that-is-no-json",
        expect![[r#"
        400
        {
          "__type": "SerializationException",
          "message": "the body is not JSON: EOF while parsing a value at line 1 column 15"
        }
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_request_without_members_may_have_no_body() {
    check(
        "body-without-anything",
        expect![[r#"
        200
        {
          "pipelines": [
            {
              "created": 1547106937.0,
              "executionMode": "SUPERSEDED",
              "name": "web",
              "pipelineType": "V1",
              "updated": 1547106937.0,
              "version": 1
            }
          ]
        }
    "#]],
    )
    .await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "it is the answer, whole")]
async fn a_definition_comes_back_with_its_secrets_masked() {
    check(
        "get-pipeline",
        expect![[r#"
        200
        {
          "metadata": {
            "created": 1547106937.0,
            "pipelineArn": "arn:aws:codepipeline:us-east-1:111122223333:web",
            "updated": 1547106937.0
          },
          "pipeline": {
            "artifactStore": {
              "location": "artifacts",
              "type": "S3"
            },
            "executionMode": "SUPERSEDED",
            "name": "web",
            "pipelineType": "V1",
            "roleArn": "arn:aws:iam::111122223333:role/pipeline",
            "stages": [
              {
                "actions": [
                  {
                    "actionTypeId": {
                      "category": "Source",
                      "owner": "ThirdParty",
                      "provider": "GitHub",
                      "version": "1"
                    },
                    "configuration": {
                      "Branch": "main",
                      "OAuthToken": "****",
                      "Owner": "ann",
                      "Repo": "web"
                    },
                    "inputArtifacts": [],
                    "name": "Fetch",
                    "outputArtifacts": [
                      {
                        "name": "Out"
                      }
                    ],
                    "runOrder": 1
                  }
                ],
                "name": "Source"
              },
              {
                "actions": [
                  {
                    "actionTypeId": {
                      "category": "Approval",
                      "owner": "AWS",
                      "provider": "Manual",
                      "version": "1"
                    },
                    "configuration": {},
                    "inputArtifacts": [],
                    "name": "Approve",
                    "outputArtifacts": [],
                    "runOrder": 1
                  }
                ],
                "name": "Release"
              }
            ],
            "version": 1
          }
        }
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_member_of_the_wrong_type_is_told() {
    check(
        "get-pipeline-of-a-wrong-type",
        expect![[r#"
        400
        {
          "__type": "SerializationException",
          "message": "name is a number, where a string is expected"
        }
    "#]],
    )
    .await;
}

#[tokio::test]
async fn the_state_has_every_stage() {
    check(
        "get-pipeline-state",
        expect![[r#"
        200
        {
          "created": 1547106937.0,
          "pipelineName": "web",
          "pipelineVersion": 1,
          "stageStates": [
            {
              "actionStates": [
                {
                  "actionName": "Fetch"
                }
              ],
              "inboundExecutions": [],
              "inboundTransitionState": {
                "enabled": true
              },
              "stageName": "Source"
            },
            {
              "actionStates": [
                {
                  "actionName": "Approve"
                }
              ],
              "inboundExecutions": [],
              "inboundTransitionState": {
                "enabled": true
              },
              "stageName": "Release"
            }
          ],
          "updated": 1547106937.0
        }
    "#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_there_is_a_modelled_error() {
    check(
        "get-pipeline-that-is-not-there",
        expect![[r#"
        400
        {
          "__type": "PipelineNotFoundException",
          "message": "Account '111122223333' does not have a pipeline with name 'nope'"
        }
    "#]],
    )
    .await;
}

#[tokio::test]
async fn all_mistakes_are_told_together() {
    check("get-pipeline-with-three-mistakes", expect![[r#"
        400
        {
          "__type": "ValidationException",
          "message": "2 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '0' at 'version' failed to satisfy constraint: Member must have value greater than or equal to 1"
        }
    "#]]).await;
}

#[tokio::test]
async fn pipelines_are_listed() {
    check(
        "list-pipelines",
        expect![[r#"
        200
        {
          "pipelines": [
            {
              "created": 1547106937.0,
              "executionMode": "SUPERSEDED",
              "name": "web",
              "pipelineType": "V1",
              "updated": 1547106937.0,
              "version": 1
            }
          ]
        }
    "#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_here_yet_says_so() {
    check(
        "operation-that-is-not-here-yet",
        expect![[r#"
        400
        {
          "__type": "UnknownOperationException",
          "message": "Pipewright does not have the operation RollbackStage yet"
        }
    "#]],
    )
    .await;
}

#[tokio::test]
async fn an_operation_that_nobody_has_is_unknown() {
    check(
        "operation-that-nobody-has",
        expect![[r#"
        400
        {
          "__type": "UnknownOperationException",
          "message": "CodePipeline has no operation OpenTheDoor"
        }
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_service_that_nobody_has_is_unknown() {
    check(
        "service-that-nobody-has",
        expect![[r#"
        400
        {
          "__type": "UnknownOperationException",
          "message": "there is no operation `CodeCommit_20150413.ListRepositories`"
        }
    "#]],
    )
    .await;
}

#[tokio::test]
async fn an_execution_starts() {
    check(
        "start-pipeline-execution",
        expect![[r#"
        200
        {
          "pipelineExecutionId": "71bb54d8-d101-45b9-834d-0bff90150280"
        }
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_pipeline_is_tagged() {
    check(
        "tag-resource",
        expect![[r#"
        200
        {}
    "#]],
    )
    .await;
}

/// spec 10 §2: the signature is looked at before anything else.
#[tokio::test]
async fn whoever_cannot_be_believed_is_told_nothing_else() {
    let bench = Bench::new(EVERYTHING).await;
    let sample = Bench::sample("operation-that-nobody-has");
    let mut shown = String::new();
    shown += &bench.answer(bench::signed(&sample, NOW, "a guess")).await;
    let late = Timestamp(NOW.0 + 6 * 60 * 1000);
    shown += &bench.send(&sample, late).await;
    let mut unsigned = bench::signed(&sample, NOW, "a guess");
    unsigned.headers_mut().remove("authorization");
    shown += &bench.answer(unsigned).await;
    expect![[r#"
        400
        {
          "__type": "InvalidSignatureException",
          "message": "The request signature we calculated does not match the signature you provided. Check your secret access key and signing method."
        }
        400
        {
          "__type": "InvalidSignatureException",
          "message": "Signature not yet current: the request is of 20190110T080137Z, which is more than 5 minutes off; set this machine's clock"
        }
        400
        {
          "__type": "MissingAuthenticationTokenException",
          "message": "the request is not signed: it has no Authorization header"
        }
    "#]].assert_eq(&shown);
    expect![[r#"
        PWKAEXAMPLE234567ABC OpenTheDoor null InvalidSignature
        PWKAEXAMPLE234567ABC OpenTheDoor null InvalidSignature
        nobody OpenTheDoor null MissingAuthenticationToken
    "#]]
    .assert_eq(&bench.trail());
}

#[tokio::test]
async fn a_key_may_what_its_policies_say_and_the_trail_has_it() {
    let bench = Bench::new(READING).await;
    let mut shown = String::new();
    for name in [
        "get-pipeline-that-is-not-there",
        "start-pipeline-execution",
        "tag-resource",
    ] {
        shown += &bench.send(&Bench::sample(name), NOW).await;
    }
    expect![[r#"
        400
        {
          "__type": "PipelineNotFoundException",
          "message": "Account '111122223333' does not have a pipeline with name 'nope'"
        }
        400
        {
          "__type": "AccessDeniedException",
          "message": "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: codepipeline:StartPipelineExecution on resource: arn:aws:codepipeline:us-east-1:111122223333:web because no policy of the key allows codepipeline:StartPipelineExecution"
        }
        400
        {
          "__type": "AccessDeniedException",
          "message": "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: codepipeline:TagResource on resource: arn:aws:codepipeline:us-east-1:111122223333:web because no policy of the key allows codepipeline:TagResource"
        }
    "#]].assert_eq(&shown);
    expect![[r#"
        arn:aws:iam::111122223333:user/ann GetPipeline {"name":"nope"} PipelineNotFound
        arn:aws:iam::111122223333:user/ann StartPipelineExecution {"clientRequestToken":"5b1f6f0e-54f7-4c0a-9d58-1d7b8f4c2a11","name":"web"} AccessDenied
        arn:aws:iam::111122223333:user/ann TagResource {"resourceArn":"arn:aws:codepipeline:us-east-1:111122223333:web","tags":[{"key":"team","value":"HIDDEN_DUE_TO_SECURITY_REASONS"}]} AccessDenied
    "#]].assert_eq(&bench.trail());
}

/// Whoever has no key cannot fill the trail.
#[tokio::test]
async fn only_so_many_refusals_of_strangers_get_a_record_each() {
    let bench = Bench::new(EVERYTHING).await;
    let sample = Bench::sample("list-pipelines");
    for _ in 0..200 {
        bench.answer(bench::signed(&sample, NOW, "a guess")).await;
    }
    assert_eq!(bench.trail().lines().count(), 60);
    bench.send(&sample, NOW).await;
    assert_eq!(
        bench.trail().lines().count(),
        61,
        "whoever has a key is recorded"
    );
}

/// What cannot be recorded is not answered for; once that is known, nothing is begun.
#[tokio::test]
async fn without_a_trail_nothing_is_answered() {
    let bench = Bench::new(EVERYTHING).await;
    bench.fill_the_trail();
    let mut answer = bench.send(&Bench::sample("tag-resource"), NOW).await;
    answer += &bench.send(&Bench::sample("tag-resource"), NOW).await;
    answer += &bench.send(&Bench::sample("list-pipelines"), NOW).await;
    expect![[r#"
        503
        {
          "__type": "ServiceUnavailableException",
          "message": "what was asked for was done, but the audit trail cannot be written, and the server's log says why: look before you ask again"
        }
        503
        {
          "__type": "ServiceUnavailableException",
          "message": "the audit trail cannot be written, and the server's log says why; this request changed nothing, but if it was sent before, look what became of that"
        }
        503
        {
          "__type": "ServiceUnavailableException",
          "message": "the audit trail cannot be written, and the server's log says why; nothing is answered before it can"
        }
    "#]].assert_eq(&answer);
}

/// The tables of operations are those of the API's model: 44, each here or named as missing.
#[test]
fn every_operation_of_the_service_is_here_or_said_to_be_missing() {
    let here: BTreeSet<&str> = codepipeline::OPERATIONS.into_iter().collect();
    let missing: BTreeSet<&str> = codepipeline::MISSING.into_iter().collect();
    assert!(here.is_disjoint(&missing));
    assert_eq!(here.len() + missing.len(), 44);
}
