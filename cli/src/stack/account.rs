//! The AWS account and region: the ordinary configuration of AWS's own tools.

use aws_config::SdkConfig;
use aws_sdk_cloudformation::config::{ProvideCredentials, Region};
use clap::Args;
use letterbox_intake::aws;
use tokio::runtime::{Builder, Runtime};

use super::AwsError;

/// Which account and region.
#[derive(Args, Clone, Debug, Default)]
pub struct AwsOptions {
    /// Profile of the AWS configuration [default: `AWS_PROFILE`, or else `default`]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// AWS region [default: `AWS_REGION`, or else the profile's]
    #[arg(long, value_name = "NAME")]
    pub region: Option<String>,
}

/// An account that can be called: it has a region, and its credentials were found.
#[derive(Clone, Debug)]
pub struct Account {
    /// For the client of any service.
    pub config: SdkConfig,
    /// The region's name.
    pub region: String,
}

impl Account {
    /// Finds region and credentials as AWS's own tools do: variables (`AWS_ENDPOINT_URL` among them), the profile's files,
    /// IAM Identity Center, a program, a container, an instance. It calls no service that would check the credentials.
    pub async fn find(options: &AwsOptions) -> Result<Self, AwsError> {
        let mut loader = aws::loader();
        if let Some(profile) = &options.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &options.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let config = loader.load().await;
        let region = config.region().map(ToString::to_string).filter(|region| !region.is_empty());
        let region = region.ok_or(AwsError::NoRegion)?;
        let provider = config.credentials_provider().ok_or_else(|| AwsError::NoCredentials(String::new()))?;
        provider.provide_credentials().await.map_err(|error| AwsError::NoCredentials(aws::chain(&error)))?;
        Ok(Self { config, region })
    }
}

/// The runtime of a command's calls to AWS, on this thread. Clients keep connections in it, so one command has one.
pub fn runtime() -> Result<Runtime, AwsError> {
    Builder::new_current_thread().enable_all().build().map_err(|error| AwsError::Other(error.to_string()))
}
