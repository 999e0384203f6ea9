//! Clients of AWS that show credentials to nobody on the way: the variables and profiles of the SDK may name any address.

use aws_config::SdkConfig;
use aws_sdk_sts::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::BoxError;
use url::Url;

use super::config::Config;
use crate::net::{Unfit, is_confidential};

/// Sends nothing over plain http to another machine: a token, a session's token and a registry's password would be read
/// there.
#[derive(Debug)]
struct Confidential;

impl Intercept for Confidential {
    fn name(&self) -> &'static str {
        "confidential"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let url: Url = context.request().uri().parse()?;
        if is_confidential(&url) { Ok(()) } else { Err(Unfit::of(&url).into()) }
    }
}

/// A client of STS.
pub(super) fn sts(config: &SdkConfig) -> aws_sdk_sts::Client {
    aws_sdk_sts::Client::from_conf(aws_sdk_sts::config::Builder::from(config).interceptor(Confidential).build())
}

/// A client of AWS KMS in a region.
pub(super) fn kms(config: &Config, region: &str) -> aws_sdk_kms::Client {
    let region = aws_sdk_kms::config::Region::new(region.to_owned());
    let mut builder = aws_sdk_kms::config::Builder::from(&config.sdk).region(region).interceptor(Confidential);
    config.renewal().into_iter().for_each(|renewal| {
        builder.push_interceptor(renewal);
    });
    aws_sdk_kms::Client::from_conf(builder.build())
}

/// A client of Amazon ECR.
pub(super) fn ecr(config: &Config) -> aws_sdk_ecr::Client {
    let mut builder = aws_sdk_ecr::config::Builder::from(&config.sdk).interceptor(Confidential);
    config.renewal().into_iter().for_each(|renewal| {
        builder.push_interceptor(renewal);
    });
    aws_sdk_ecr::Client::from_conf(builder.build())
}
