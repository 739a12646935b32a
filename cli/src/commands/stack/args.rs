//! Options that the commands of a stack share.

use clap::Args;
use letterbox_codec::Timestamp;
use letterbox_intake::Outcome;

use crate::{
    options::ProviderName,
    stack::{
        account::AwsOptions,
        archive::{Filter, Pattern},
    },
    time,
};

/// Which stack, and how to reach it.
#[derive(Args, Debug)]
pub struct StackArgs {
    /// The name of the stack
    #[arg(long, value_name = "NAME")]
    pub stack: String,
    /// The account and the region.
    #[command(flatten)]
    pub aws: AwsOptions,
}

/// Which deliveries, and received when.
#[derive(Args, Debug, Default)]
pub struct FilterArgs {
    /// Received at this time or later: RFC 3339, a date or a date and a time of day in UTC, Unix seconds, or how long ago, such as 30m, 2h, 3d
    #[arg(long, value_name = "TIME", value_parser = time::past)]
    pub since: Option<Timestamp>,
    /// Received before this time
    #[arg(long, value_name = "TIME", value_parser = time::past)]
    pub until: Option<Timestamp>,
    /// Which deliveries.
    #[command(flatten)]
    pub kind: KindArgs,
}

/// Which deliveries.
#[derive(Args, Debug, Default)]
pub struct KindArgs {
    /// Of this provider; several are separated by commas, as in all of these options
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = ProviderName)]
    pub provider: Vec<String>,
    /// To this source; * stands for any text
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub source: Vec<String>,
    /// With this outcome: queued, refused, failed or unqueued
    #[arg(long, value_name = "OUTCOME", value_delimiter = ',', value_parser = outcome)]
    pub outcome: Vec<Outcome>,
    /// With this reason code, as in the log
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub reason: Vec<String>,
    /// With an event of this type, such as github.push; * stands for any text
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub types: Vec<String>,
    /// With this text in the URL, a header, the body or the event
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
}

/// Parses the code of an outcome.
fn outcome(text: &str) -> Result<Outcome, String> {
    let known = [Outcome::Queued, Outcome::Refused, Outcome::Failed, Outcome::Unqueued, Outcome::Answered];
    known
        .into_iter()
        .find(|outcome| outcome.as_str() == text)
        .ok_or_else(|| "expected queued, refused, failed or unqueued".to_owned())
}

impl KindArgs {
    /// True if nothing is chosen.
    fn is_empty(&self) -> bool {
        self.provider.is_empty()
            && self.source.is_empty()
            && self.outcome.is_empty()
            && self.reason.is_empty()
            && self.types.is_empty()
            && self.text.is_none()
    }

    /// The filter. The error names an unknown provider.
    pub fn filter(&self) -> Result<Filter, String> {
        for name in &self.provider {
            letterbox_registry::find(name).map_err(|error| format!("--provider: {error}"))?;
        }
        let patterns = |texts: &[String]| texts.iter().cloned().map(Pattern).collect();
        Ok(Filter {
            providers: self.provider.clone(),
            sources: patterns(&self.source),
            outcomes: self.outcome.clone(),
            reasons: self.reason.clone(),
            types: patterns(&self.types),
            text: self.text.clone().filter(|text| !text.is_empty()),
            ..Filter::default()
        })
    }
}

impl FilterArgs {
    /// True if nothing is chosen.
    pub fn is_empty(&self) -> bool {
        self.since.is_none() && self.until.is_none() && self.kind.is_empty()
    }

    /// The filter. The error names what cannot be meant.
    pub fn filter(&self) -> Result<Filter, String> {
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since >= until
        {
            return Err(format!("--since {since} is not before --until {until}"));
        }
        Ok(Filter { since: self.since, until: self.until, ..self.kind.filter()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_a_filter() {
        let kind = KindArgs {
            provider: vec!["github".to_owned()],
            types: vec!["github.*".to_owned()],
            text: Some(String::new()),
            ..KindArgs::default()
        };
        let args = FilterArgs { since: Some(Timestamp(1)), until: Some(Timestamp(2)), kind };
        let filter = args.filter().unwrap();
        assert_eq!((filter.since, filter.until, filter.text), (Some(Timestamp(1)), Some(Timestamp(2)), None));
        assert_eq!(filter.types, [Pattern("github.*".to_owned())]);
        assert!(!args.is_empty() && FilterArgs::default().is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_an_error() {
        let reversed =
            FilterArgs { since: Some(Timestamp(2)), until: Some(Timestamp(2)), ..FilterArgs::default() };
        assert!(reversed.filter().unwrap_err().contains("--until"));
        let unknown = KindArgs { provider: vec!["gitlab".to_owned()], ..KindArgs::default() };
        assert!(unknown.filter().unwrap_err().starts_with("--provider: "));
        assert!(outcome("lost").is_err() && outcome("refused") == Ok(Outcome::Refused));
    }
}
