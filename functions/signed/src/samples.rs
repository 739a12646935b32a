//! The samples that come with Letterbox: one folder for each preset, and beside them those of a sender without one.

use include_dir::{Dir, include_dir};
use letterbox_codec::platform::{Bilingual, Sample, samples_in};
use letterbox_signed::sender::Samples;

use crate::SignedBranch;

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

impl Samples for SignedBranch {
    const TITLE: &'static str = "Other senders";
    const RECEIVES: Bilingual<&'static str> = Bilingual {
        en: "webhooks of any other sender that signs them, with presets or a scheme of your own",
        zh: "其他对 webhook 签名的发送方，使用预设或自定义方案",
    };
    const DEMO: &'static str = include_str!("../../../events/signed/credentials.json");
    const FIRST_SAMPLE: &'static str = "joined";

    /// Those in a folder are named `<preset>/<name>`.
    fn samples() -> Vec<Sample> {
        let of =
            |folder: &Dir<'static>| samples_in(folder.files().map(|file| (file.path(), file.contents())));
        let in_folders = SAMPLES.dirs().flat_map(|folder| {
            of(folder).into_iter().map(|Sample { name, payload }| Sample {
                name: format!("{}/{name}", folder.path().display()),
                payload,
            })
        });
        let mut samples: Vec<_> = of(&SAMPLES).into_iter().chain(in_folders).collect();
        samples.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        samples
    }
}
