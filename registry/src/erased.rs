//! Providers without their types, implemented once for every [`Sender`].

use std::{marker::PhantomData, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use letterbox_codec::{
    Ambient, Provider, Received, Reject, Rejected, Request, Sources, Timestamp,
    platform::{
        DeliveryPolicy, Mark, Opened, Reference, Sample, Sender, Setup, SignatureScheme, Step, Variant,
    },
    provider::{Document, Refused},
};
use letterbox_intake::{
    Answer, Fetcher, Intake, Keyring, Message, Queue, Refreshed,
    handler::{self, AmbientSource},
    queue::LARGEST_MESSAGE,
    settings::StartError,
};

/// A provider and its platform, without its type.
pub trait Platform: Sync {
    /// Everything about it that needs no credentials.
    fn facts(&self) -> &'static Facts;

    /// The sample payloads, sorted by name.
    fn samples(&self) -> Vec<Sample>;

    /// [`Sender::variants`].
    fn variants(&self) -> Vec<Variant> {
        Vec::new()
    }

    /// Parses a credentials JSON. The error names the source and the field, never a value.
    fn keys(&self, credentials: &str) -> Result<Box<dyn Keys>, StartError>;

    /// Creates a handler.
    fn handler(&self, parts: HandlerParts<'_>) -> Result<Box<dyn Handler>, StartError>;

    /// [`Provider::NAME`].
    fn name(&self) -> &'static str {
        self.facts().name
    }

    /// Finds the sample of that name, or else `<name>.legacy`.
    fn sample(&self, name: &str) -> Option<Sample> {
        let legacy = format!("{name}.legacy");
        let mut samples = self.samples();
        let position = |name: &str| samples.iter().position(|sample| sample.name == name);
        let found = position(name).or_else(|| position(&legacy))?;
        Some(samples.swap_remove(found))
    }
}

/// The constants of a provider and its platform.
#[derive(Debug)]
pub struct Facts {
    /// [`Provider::NAME`].
    pub name: &'static str,
    /// [`Sender::TITLE`].
    pub title: &'static str,
    /// [`Sender::CHOSEN_SECRET`].
    pub chosen_secret: bool,
    /// [`Sender::ON_BY_DEFAULT`].
    pub on_by_default: bool,
    /// [`Provider::DEADLINE`].
    pub deadline: Duration,
    /// [`Provider::MAX_BODY`].
    pub max_body: usize,
    /// The [`Document::variable`] of a provider that takes its replies from a file.
    pub document: Option<&'static str>,
    /// [`Sender::REFERENCE`].
    pub reference: Reference,
    /// [`Sender::SETUP`].
    pub setup: Setup,
    /// [`Sender::STEPS`].
    pub steps: &'static [Step],
    /// [`Sender::DEMO`].
    pub demo: &'static str,
    /// [`Sender::FIRST_SAMPLE`].
    pub first_sample: &'static str,
    /// [`Sender::PROBE`].
    pub probe: Option<&'static str>,
    /// [`Sender::MARK`].
    pub mark: Option<Mark>,
    /// [`Sender::SEALS`].
    pub seals: Option<&'static str>,
    /// [`Sender::SCHEME`].
    pub scheme: SignatureScheme,
    /// [`Sender::KEY_HEADER`].
    pub key_header: Option<&'static str>,
}

/// The parsed credentials of a provider. They verify deliveries without a queue.
pub trait Keys: Send + Sync {
    /// The names of all sources, sorted.
    fn sources(&self) -> Vec<&str>;

    /// The entries of a source, at least one; a platform signs with the first. The error names all sources.
    fn entries(&self, source: &str) -> Result<Vec<Box<dyn Entry + '_>>, String>;

    /// Verifies and decodes a delivery as the function does, the size of its queue message included.
    fn receive(&self, source: &str, request: &Request, ambient: &Ambient) -> Result<Received, Refused>;

    /// The first entry of a source. The error names all sources.
    fn first(&self, source: &str) -> Result<Box<dyn Entry + '_>, String> {
        self.entries(source)?.into_iter().next().ok_or_else(|| format!("source {source:?}: no entry"))
    }
}

/// One entry of the credentials, as the platform uses it: to build deliveries and to read the responses.
pub trait Entry: Send + Sync {
    /// [`Sender::build_request`].
    fn build_request(&self, sample: &Sample, url: &str, ambient: &Ambient) -> Result<Request, String>;

    /// [`Sender::read_response`].
    fn read_response(&self, request: &Request, response: &http::Response<Bytes>) -> Result<String, String>;

    /// [`Sender::open`].
    fn open(&self, message: &Request, now: Timestamp) -> Result<Opened, Rejected>;

    /// [`Sender::seal`].
    fn seal(&self, payload: &[u8], ambient: &Ambient) -> Option<Result<String, String>>;

    /// [`Sender::delivery_policy`].
    fn delivery_policy(&self) -> DeliveryPolicy;

    /// [`Sender::id_members`].
    fn id_members(&self) -> Vec<&str>;

    /// [`Sender::headers`].
    fn headers(&self) -> Vec<&str>;

    /// [`Provider::secret_headers`].
    fn secret_headers(&self) -> Vec<&str>;

    /// [`Provider::secret_parameters`].
    fn secret_parameters(&self) -> Vec<&str>;
}

/// The parts of a handler.
pub struct HandlerParts<'a> {
    /// The credentials JSON.
    pub credentials: &'a str,
    /// The name and the content of the document's file; the built-in sample if `None`.
    pub document: Option<(&'a str, &'a [u8])>,
    /// The queue for the events.
    pub queue: Arc<dyn Queue>,
    /// The clock and entropy; those of the system if `None`.
    pub ambient: Option<AmbientSource>,
    /// True if it may fetch the documents that verifying a delivery needs, and call the URLs that a delivery asks for.
    pub fetches: bool,
}

/// The handler that runs in Lambda, without its type.
pub trait Handler: Send + Sync {
    /// Handles one request to one source.
    fn handle<'a>(
        &'a self,
        source: &'a str,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

    /// Refuses an event that is not a request to a source.
    fn refuse(&self, source: &str, reject: &Reject) -> Answer;

    /// The names of the sources that have credentials, sorted.
    fn sources(&self) -> Vec<String>;
}

impl<P: Provider> Handler for Intake<P> {
    fn handle<'a>(
        &'a self,
        source: &'a str,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(self.handle(source, request))
    }

    fn refuse(&self, source: &str, reject: &Reject) -> Answer {
        self.refuse(source, reject)
    }

    fn sources(&self) -> Vec<String> {
        self.keyring().current().names().into_iter().map(str::to_owned).collect()
    }
}

/// The [`Platform`] of a [`Sender`].
pub(crate) struct Of<P>(PhantomData<fn() -> P>);

impl<P> Of<P> {
    pub(crate) const NEW: Self = Self(PhantomData);
}

impl<P: Sender> Platform for Of<P> {
    fn facts(&self) -> &'static Facts {
        const {
            &Facts {
                name: P::NAME,
                title: P::TITLE,
                chosen_secret: P::CHOSEN_SECRET,
                on_by_default: P::ON_BY_DEFAULT,
                deadline: P::DEADLINE,
                max_body: P::MAX_BODY,
                reference: P::REFERENCE,
                document: match P::DOCUMENT {
                    Some(Document { variable, .. }) => Some(variable),
                    None => None,
                },
                setup: P::SETUP,
                steps: P::STEPS,
                demo: P::DEMO,
                first_sample: P::FIRST_SAMPLE,
                probe: P::PROBE,
                mark: P::MARK,
                seals: P::SEALS,
                scheme: P::SCHEME,
                key_header: P::KEY_HEADER,
            }
        }
    }

    fn samples(&self) -> Vec<Sample> {
        P::samples()
    }

    fn variants(&self) -> Vec<Variant> {
        P::variants()
    }

    fn keys(&self, credentials: &str) -> Result<Box<dyn Keys>, StartError> {
        let sources = sources::<P>(credentials)?;
        let provider = provider::<P>(P::NAME, built_in::<P>())?;
        Ok(Box::new(KeysOf { provider, sources }))
    }

    fn handler(&self, parts: HandlerParts<'_>) -> Result<Box<dyn Handler>, StartError> {
        let sources = sources::<P>(parts.credentials)?;
        let (place, document) = parts.document.unwrap_or((P::NAME, built_in::<P>()));
        let provider = provider::<P>(place, document)?;
        let intake =
            Intake::new(Refreshed::fixed(provider), Keyring::fixed(sources), parts.queue, P::DEADLINE);
        let intake = if P::FETCHES && parts.fetches { intake.with_fetcher(Fetcher::https()) } else { intake };
        Ok(Box::new(match parts.ambient {
            Some(ambient) => intake.with_ambient(ambient),
            None => intake,
        }))
    }
}

fn sources<P: Provider>(credentials: &str) -> Result<Sources<P::Credentials>, StartError> {
    Sources::parse(credentials).map_err(|error| StartError::Credentials { place: P::NAME, error })
}

fn provider<P: Provider>(place: &str, document: &[u8]) -> Result<P, StartError> {
    P::new(document).map_err(|error| StartError::Document { place: place.to_owned(), error })
}

/// The document that is compiled in; empty if the provider has none.
fn built_in<P: Provider>() -> &'static [u8] {
    P::DOCUMENT.map_or(&[], |document| document.sample)
}

/// The [`Keys`] of a [`Sender`].
struct KeysOf<P: Sender> {
    provider: P,
    sources: Sources<P::Credentials>,
}

impl<P: Sender> Keys for KeysOf<P> {
    fn sources(&self) -> Vec<&str> {
        self.sources.names()
    }

    fn entries(&self, source: &str) -> Result<Vec<Box<dyn Entry + '_>>, String> {
        let entries = self.sources.get(source).ok_or_else(|| {
            let known = self.sources.names().join(", ");
            format!("{}: no source {source:?} in the credentials; there are {known}", P::NAME)
        })?;
        Ok(entries.iter().map(|entry| Box::new(EntryOf::<P>(entry)) as Box<dyn Entry>).collect())
    }

    fn receive(&self, source: &str, request: &Request, ambient: &Ambient) -> Result<Received, Refused> {
        let received = handler::receive(&self.provider, &self.sources, source, request, ambient)?;
        let message = received.queued_event().map(|event| Message::of(event, LARGEST_MESSAGE)).transpose();
        message.map_err(|reject| Refused::payload(reject, received.key))?;
        Ok(received)
    }
}

/// The [`Entry`] of a [`Sender`].
struct EntryOf<'k, P: Sender>(&'k P::Credentials);

impl<P: Sender> Entry for EntryOf<'_, P> {
    fn build_request(&self, sample: &Sample, url: &str, ambient: &Ambient) -> Result<Request, String> {
        P::build_request(self.0, sample, url, ambient)
    }

    fn read_response(&self, request: &Request, response: &http::Response<Bytes>) -> Result<String, String> {
        P::read_response(self.0, request, response)
    }

    fn open(&self, message: &Request, now: Timestamp) -> Result<Opened, Rejected> {
        P::open(self.0, message, now)
    }

    fn seal(&self, payload: &[u8], ambient: &Ambient) -> Option<Result<String, String>> {
        P::seal(self.0, payload, ambient)
    }

    fn delivery_policy(&self) -> DeliveryPolicy {
        P::delivery_policy(self.0)
    }

    fn id_members(&self) -> Vec<&str> {
        P::id_members(self.0)
    }

    fn headers(&self) -> Vec<&str> {
        P::headers(self.0)
    }

    fn secret_headers(&self) -> Vec<&str> {
        P::secret_headers(self.0)
    }

    fn secret_parameters(&self) -> Vec<&str> {
        P::secret_parameters(self.0)
    }
}
