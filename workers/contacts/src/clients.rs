//! How a run reaches the two platforms: over HTTPS, with the tokens of the process.

use std::{sync::Arc, time::Duration};

use letterbox_outbound::http::Client;
use tokio::time::Instant;

use crate::{
    dingtalk::DingTalk, run::Connect, settings::Corp, source::Source, target::Target, tokens::Tokens,
    wecom::WeCom,
};

/// The two platforms. It keeps tokens from one run to the next.
#[derive(Debug, Default)]
pub struct Platforms(Arc<Tokens>);

impl Platforms {
    /// The platforms for one run. Its connections are its own: one that was open while Lambda froze the environment is dead. No
    /// call waits beyond the end of the run.
    pub fn of_run(&self, milliseconds: i64) -> RunPlatforms {
        let left = Duration::from_millis(milliseconds.try_into().unwrap_or_default());
        RunPlatforms {
            client: Arc::new(Client::new()),
            tokens: Arc::clone(&self.0),
            ends: Instant::now() + left.min(LONGEST),
        }
    }
}

/// No run is longer.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// The two platforms, for one run.
#[derive(Debug)]
pub struct RunPlatforms {
    client: Arc<Client>,
    tokens: Arc<Tokens>,
    ends: Instant,
}

impl Connect for RunPlatforms {
    fn source<'a>(&'a self, corp: &'a Corp) -> Box<dyn Source + 'a> {
        let client = Arc::clone(&self.client);
        Box::new(DingTalk::new(&corp.dingtalk, client, Arc::clone(&self.tokens), self.ends))
    }

    fn target<'a>(&'a self, corp: &'a Corp) -> Box<dyn Target + 'a> {
        let client = Arc::clone(&self.client);
        Box::new(WeCom::new(&corp.wecom, client, Arc::clone(&self.tokens), self.ends))
    }
}
