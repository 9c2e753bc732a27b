//! The action types (spec 20 §5; keys and timeouts of spec 60).

use super::{ActionType, Count};
use crate::declaration::{
    ActionCategory::{self, Approval, Build, Compute, Deploy, Invoke, Source, Test},
    ActionOwner::{Aws, Custom, ThirdParty},
};

const HOUR: u32 = 60;
const DAY: u32 = 24 * HOUR;
/// Managed compute: documented for Commands, our choice for the others (spec 60 §0.4).
const MANAGED_COMPUTE: u32 = 55;

/// An action type of AWS without artifacts, keys or anything else that is special.
const fn aws(category: ActionCategory, provider: &'static str) -> ActionType {
    ActionType {
        category,
        owner: Aws,
        provider,
        inputs: Count { min: 0, max: 0 },
        outputs: Count { min: 0, max: 0 },
        v2_only: false,
        required: &[],
        optional: &[],
        secret: &[],
        queryable: &[],
        open: false,
        timeout_minutes: HOUR,
    }
}

impl ActionType {
    const fn inputs(mut self, min: usize, max: usize) -> Self {
        self.inputs = Count { min, max };
        self
    }

    const fn outputs(mut self, min: usize, max: usize) -> Self {
        self.outputs = Count { min, max };
        self
    }

    const fn requires(mut self, keys: &'static [&'static str]) -> Self {
        self.required = keys;
        self
    }

    const fn allows(mut self, keys: &'static [&'static str]) -> Self {
        self.optional = keys;
        self
    }

    const fn hides(mut self, keys: &'static [&'static str]) -> Self {
        self.secret = keys;
        self
    }

    const fn minutes(mut self, minutes: u32) -> Self {
        self.timeout_minutes = minutes;
        self
    }

    const fn v2(mut self) -> Self {
        self.v2_only = true;
        self
    }

    const fn third_party(mut self) -> Self {
        self.owner = ThirdParty;
        self
    }

    const fn source(self) -> Self {
        self.outputs(1, 1)
    }
}

const fn code_build(category: ActionCategory, minutes: u32) -> ActionType {
    aws(category, "CodeBuild")
        .inputs(1, 5)
        .outputs(0, 5)
        .requires(&["ProjectName"])
        .allows(&[
            "PrimarySource",
            "BatchEnabled",
            "CombineArtifacts",
            "BuildspecOverride",
            "EnvironmentVariables",
        ])
        .minutes(minutes)
}

const fn jenkins(category: ActionCategory) -> ActionType {
    let mut jenkins = aws(category, "Jenkins")
        .inputs(0, 5)
        .outputs(0, 5)
        .minutes(DAY);
    jenkins.owner = Custom;
    jenkins.required = &["ProjectName"];
    jenkins.queryable = &["ProjectName"];
    jenkins.open = true;
    jenkins
}

const STACK_OPERATION: [&str; 5] = [
    "FailureTolerancePercentage",
    "MaxConcurrentPercentage",
    "RegionConcurrencyType",
    "ConcurrencyMode",
    "CallAs",
];

/// Every action type, in the order of spec 60 §0.5.
pub const ACTION_TYPES: &[ActionType] = &[
    aws(Source, "S3")
        .source()
        .requires(&["S3Bucket", "S3ObjectKey"])
        .allows(&["PollForSourceChanges", "AllowOverrideForS3ObjectKey"]),
    aws(Source, "CodeCommit")
        .source()
        .requires(&["RepositoryName", "BranchName"])
        .allows(&["PollForSourceChanges", "OutputArtifactFormat"]),
    aws(Source, "ECR")
        .source()
        .requires(&["RepositoryName"])
        .allows(&["ImageTag"]),
    aws(Source, "CodeStarSourceConnection")
        .source()
        .requires(&["ConnectionArn", "FullRepositoryId", "BranchName"])
        .allows(&["OutputArtifactFormat", "DetectChanges"]),
    aws(Source, "GitHub")
        .third_party()
        .source()
        .requires(&["Owner", "Repo", "Branch", "OAuthToken"])
        .allows(&["PollForSourceChanges"])
        .hides(&["OAuthToken"]),
    code_build(Build, 36 * HOUR),
    code_build(Test, 8 * HOUR),
    aws(Build, "ECRBuildAndPublish")
        .inputs(1, 1)
        // The page says none; spec 20 §5 lets one pass.
        .outputs(0, 1)
        .requires(&["ECRRepositoryName"])
        .allows(&["DockerFilePath", "ImageTags", "RegistryType"])
        .minutes(MANAGED_COMPUTE)
        .v2(),
    aws(Compute, "Commands")
        .inputs(1, 10)
        .outputs(0, 1)
        .allows(&[
            "EnvironmentType",
            "ComputeType",
            "VpcId",
            "Subnets",
            "SecurityGroupIds",
        ])
        .minutes(MANAGED_COMPUTE)
        .v2(),
    aws(Test, "DeviceFarm")
        .inputs(1, 1)
        .requires(&[
            "AppType",
            "ProjectId",
            "AppiumVersion",
            "DevicePoolArn",
            "TestType",
        ])
        .allows(&[
            "App",
            "Test",
            "FuzzEventCount",
            "FuzzEventThrottle",
            "FuzzRandomizerSeed",
            "RadioBluetoothEnabled",
            "RadioWifiEnabled",
            "RadioNfcEnabled",
            "RadioGpsEnabled",
            "RecordAppPerformanceData",
            "RecordVideo",
            "UnmeteredDevicesOnly",
            "CustomHostMachineArtifacts",
            "CustomDeviceArtifacts",
            "JobTimeoutMinutes",
            "Latitude",
            "Longitude",
        ])
        .minutes(8 * HOUR),
    aws(Deploy, "S3")
        .inputs(1, 1)
        .requires(&["BucketName", "Extract"])
        .allows(&[
            "ObjectKey",
            "KMSEncryptionKeyARN",
            "CannedACL",
            "CacheControl",
        ])
        .minutes(90),
    aws(Deploy, "CloudFormation")
        .inputs(0, 10)
        .outputs(0, 1)
        .requires(&["ActionMode", "StackName"])
        .allows(&[
            "ChangeSetName",
            "TemplatePath",
            "TemplateConfiguration",
            "ParameterOverrides",
            "Capabilities",
            "RoleArn",
            "OutputFileName",
        ])
        .minutes(3 * DAY),
    aws(Deploy, "CloudFormationStackSet")
        .inputs(1, 3)
        .requires(&["StackSetName", "TemplatePath"])
        .allows(&[
            "Description",
            "Parameters",
            "Capabilities",
            "PermissionModel",
            "AdministrationRoleArn",
            "ExecutionRoleName",
            "OrganizationsAutoDeployment",
            "DeploymentTargets",
            "Regions",
            STACK_OPERATION[0],
            STACK_OPERATION[1],
            STACK_OPERATION[2],
            STACK_OPERATION[3],
            STACK_OPERATION[4],
        ])
        .minutes(3 * DAY),
    aws(Deploy, "CloudFormationStackInstances")
        .inputs(0, 2)
        .requires(&["StackSetName", "Regions"])
        .allows(&[
            "DeploymentTargets",
            "ParameterOverrides",
            STACK_OPERATION[0],
            STACK_OPERATION[1],
            STACK_OPERATION[2],
            STACK_OPERATION[3],
            STACK_OPERATION[4],
        ])
        .minutes(3 * DAY),
    aws(Deploy, "CodeDeploy")
        .inputs(1, 1)
        .requires(&["ApplicationName", "DeploymentGroupName"])
        .minutes(5 * DAY),
    aws(Deploy, "CodeDeployToECS")
        .inputs(1, 5)
        .requires(&[
            "ApplicationName",
            "DeploymentGroupName",
            "TaskDefinitionTemplateArtifact",
            "AppSpecTemplateArtifact",
        ])
        .allows(&[
            "TaskDefinitionTemplatePath",
            "AppSpecTemplatePath",
            "Image1ArtifactName",
            "Image1ContainerName",
            "Image2ArtifactName",
            "Image2ContainerName",
            "Image3ArtifactName",
            "Image3ContainerName",
            "Image4ArtifactName",
            "Image4ContainerName",
        ])
        .minutes(5 * DAY),
    aws(Deploy, "ECS")
        .inputs(1, 1)
        .requires(&["ClusterName", "ServiceName"])
        .allows(&["FileName", "DeploymentTimeout"]),
    aws(Deploy, "EC2")
        .inputs(1, 1)
        .requires(&["InstanceTagKey", "InstanceType"])
        .allows(&[
            "InstanceTagValue",
            "TargetDirectory",
            "PreScript",
            "PostScript",
            "DeploySpec",
            "MaxBatch",
            "MaxError",
            "TargetGroupNameList",
        ])
        .minutes(DAY)
        .v2(),
    aws(Deploy, "EKS")
        .inputs(1, 1)
        .requires(&["ClusterName"])
        .allows(&[
            "HelmReleaseName",
            "HelmChartLocation",
            "HelmValuesFiles",
            "ManifestFiles",
            "Namespace",
            "Subnets",
            "SecurityGroupIds",
        ])
        .minutes(MANAGED_COMPUTE)
        .v2(),
    aws(Deploy, "Lambda")
        .inputs(0, 1)
        .requires(&["FunctionName"])
        .allows(&[
            "FunctionAlias",
            "PublishedTargetVersion",
            "DeployStrategy",
            "Alarms",
        ])
        // Traffic may wait for two days.
        .minutes(2 * DAY + HOUR)
        .v2(),
    aws(Deploy, "ElasticBeanstalk")
        .inputs(1, 1)
        .requires(&["ApplicationName", "EnvironmentName"]),
    aws(Deploy, "AppConfig")
        .inputs(1, 1)
        .requires(&[
            "Application",
            "Environment",
            "ConfigurationProfile",
            "InputArtifactConfigurationPath",
        ])
        .allows(&["DeploymentStrategy"]),
    aws(Deploy, "OpsWorks")
        .inputs(1, 1)
        .requires(&["Stack", "App"])
        .allows(&["Layer"]),
    aws(Deploy, "ServiceCatalog")
        .inputs(1, 1)
        .requires(&["ProductId"])
        .allows(&[
            "ConfigurationFilePath",
            "TemplateFilePath",
            "ProductVersionName",
            "ProductType",
            "ProductVersionDescription",
        ]),
    aws(Deploy, "AlexaSkillsKit")
        .third_party()
        .inputs(1, 2)
        .requires(&["ClientId", "ClientSecret", "RefreshToken", "SkillId"])
        .hides(&["ClientSecret", "RefreshToken"])
        .minutes(DAY),
    aws(Approval, "Manual")
        .allows(&["NotificationArn", "CustomData", "ExternalEntityLink"])
        .minutes(7 * DAY),
    aws(Invoke, "Lambda")
        .inputs(0, 5)
        .outputs(0, 5)
        .requires(&["FunctionName"])
        .allows(&["UserParameters"])
        .minutes(DAY),
    aws(Invoke, "StepFunctions")
        .inputs(0, 1)
        .outputs(0, 1)
        .requires(&["StateMachineArn"])
        .allows(&["ExecutionNamePrefix", "InputType", "Input"])
        .minutes(7 * DAY),
    aws(Invoke, "CodePipeline")
        .requires(&["PipelineName"])
        .allows(&["SourceRevisions", "Variables"])
        .v2(),
    aws(Invoke, "InspectorScan")
        .inputs(0, 1)
        .outputs(0, 1)
        .requires(&["InspectorRunMode"])
        .allows(&[
            "ECRRepositoryName",
            "ImageTag",
            "CriticalThreshold",
            "HighThreshold",
            "MediumThreshold",
            "LowThreshold",
        ])
        .minutes(MANAGED_COMPUTE),
    {
        let mut snyk = aws(Invoke, "Snyk")
            .third_party()
            .inputs(1, 1)
            .outputs(1, 1)
            .minutes(DAY);
        snyk.open = true;
        snyk
    },
    jenkins(Build),
    jenkins(Test),
];
