//! References become values when an action begins (spec 30 §11).

use expect_test::expect;

use crate::script::check;

/// spec 30 §11.
#[test]
fn values_come_from_the_start_the_defaults_the_service_and_earlier_actions() {
    check(
        r##"
            pipeline: Source > Build > Deploy
              variable env=dev
              variable region=eu
              Source namespace Src
              Build namespace Made
              Build set Flags=--env #{variables.env} --region #{variables.region} --commit #{Src.CommitId}
              Deploy set ObjectKey=#{codepipeline.PipelineExecutionId}/#{Made.Version}/app
            start e1 env=prod
            finish e1 Source CommitId=abc
            show e1 Build
            finish e1 Build Version=1.2
            show e1 Deploy
        "##,
        expect![[r#"
            0:00  start e1 env=prod
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source CommitId=abc
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
                the job of Build of e1:
                  Flags = --env prod --region eu --commit abc
                  up to 2160 minutes
            0:00  finish e1 Build Version=1.2
                e1: Build/Build SUCCEEDED, Build SUCCEEDED, Deploy STARTED, Deploy/Deploy STARTED
                = e1 in Deploy (Deploy …)
                the job of Deploy of e1:
                  ObjectKey = 00000000-0000-0000-ffff-fffffffffffe/1.2/app
                  up to 2160 minutes
        "#]],
    );
}

/// spec 30 §11: a quote in a commit message must not end the literal that it stands in.
#[test]
fn a_value_inside_a_json_property_is_escaped() {
    check(
        r##"
            pipeline: Source > Build
              Source namespace Src
              Build set EnvironmentVariables=[{"name":"MSG","value":"#{Src.Message}"}]
              Build set Plain=said #{Src.Message}
            start e1
            finish e1 Source Message=a\s"quote"\sand\na\sline
            show e1 Build
        "##,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source Message=a\s"quote"\sand\na\sline
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
                the job of Build of e1:
                  EnvironmentVariables = [{"name":"MSG","value":"a \"quote\" and\na line"}]
                  Plain = said a "quote" and
            a line
                  up to 2160 minutes
        "#]],
    );
}

#[test]
fn a_value_in_a_command_is_passed_beside_it_and_never_read_as_shell() {
    check(
        r##"
            pipeline: Source > Build
              Source namespace Src
              Build kind Compute/Commands
              Build command echo #{Src.Branch} "#{Src.Branch}" '#{Src.Branch}' #{codepipeline.PipelineExecutionId}
              Build env TARGET=#{Src.Branch}
            start e1
            finish e1 Source Branch=$(rm\s-rf\s/)
            show e1 Build
        "##,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source Branch=$(rm\s-rf\s/)
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED
                = e1 in Build (Build …)
                the job of Build of e1:
                  $ echo ${PW_VAR_0} "${PW_VAR_0}" ''"${PW_VAR_0}"'' ${PW_VAR_1}
                  TARGET=$(rm -rf /)
                  PW_VAR_0=$(rm -rf /)
                  PW_VAR_1=00000000-0000-0000-ffff-fffffffffffe
                  up to 55 minutes
        "#]],
    );
}

/// spec 30 §11.
#[test]
fn a_variable_without_a_value_is_a_configuration_error() {
    check(
        r##"
            pipeline: Source > Build
              Source namespace Src
              Build set Tag=#{Src.Tag}
            start e1
            finish e1 Source Branch=main
        "##,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source Branch=main
                e1: Source/Source SUCCEEDED, Source SUCCEEDED, Build STARTED, Build/Build STARTED, Build/Build FAILED (ConfigurationError: `Tag` refers to variable `#{Src.Tag}`, which has no value in this execution), Build FAILED, FAILED
                = idle
        "#]],
    );
}

#[test]
fn an_action_without_a_namespace_gives_nothing_to_others() {
    check(
        r##"
            pipeline: Source > Build > Deploy
              Deploy set Tag=#{Build.Tag}
            start e1
            quietly finish e1 Source
            finish e1 Build Tag=1
        "##,
        expect![[r#"
            0:00  start e1
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source
                = e1 in Build (Build …)
            0:00  finish e1 Build Tag=1
                e1: Build/Build SUCCEEDED, Build SUCCEEDED, Deploy STARTED, Deploy/Deploy STARTED, Deploy/Deploy FAILED (ConfigurationError: `Tag` refers to variable `#{Build.Tag}`, which has no value in this execution), Deploy FAILED, FAILED
                = idle
        "#]],
    );
}

/// spec 30 §11.
#[test]
fn a_retry_uses_the_values_of_the_first_try() {
    check(
        r##"
            pipeline: Source > Build
              variable env=dev
              Source namespace Src
              Build set Flags=#{variables.env} #{Src.CommitId}
            start e1 env=prod
            quietly finish e1 Source CommitId=abc
            quietly fail e1 Build
            retry e1 Build failed
            show e1 Build
        "##,
        expect![[r#"
            0:00  start e1 env=prod
                e1: STARTED, Source STARTED, Source/Source STARTED
                = e1 in Source (Source …)
            0:00  finish e1 Source CommitId=abc
                = e1 in Build (Build …)
            0:00  fail e1 Build
                = idle
            0:00  retry e1 Build failed
                e1: RESUMED (attempt 2), Build RESUMED, Build/Build#2 STARTED
                = e1 in Build (Build …)
                the job of Build of e1:
                  Flags = prod abc
                  up to 2160 minutes
        "#]],
    );
}
