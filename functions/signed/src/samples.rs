//! The samples that come with Letterbox, in one folder for each preset.

use include_dir::{Dir, include_dir};
use letterbox_codec::platform::{Sample, samples_in};
use letterbox_signed::sender::Samples;

use crate::SignedBranch;

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

impl Samples for SignedBranch {
    const DEMO: &'static str = include_str!("../../../events/signed/credentials.json");
    const FIRST_SAMPLE: &'static str = "standard-webhooks/member.joined";

    /// Named `<preset>/<name>`.
    fn samples() -> Vec<Sample> {
        let mut samples: Vec<_> = SAMPLES
            .dirs()
            .flat_map(|folder| {
                let samples = samples_in(folder.files().map(|file| (file.path(), file.contents())));
                samples.into_iter().map(|Sample { name, payload }| Sample {
                    name: format!("{}/{name}", folder.path().display()),
                    payload,
                })
            })
            .collect();
        samples.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        samples
    }
}
