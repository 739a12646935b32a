//! The Secrets Manager secrets that hold the credentials of the providers.

use aws_sdk_secretsmanager::{Client, error::ProvideErrorMetadata};
use zeroize::Zeroizing;

use super::{Account, AwsError};

const GET: &str = "secretsmanager:GetSecretValue";
const PUT: &str = "secretsmanager:PutSecretValue";
const CREATE: &str = "secretsmanager:CreateSecret";

/// The current version of a secret.
#[derive(Clone)]
pub struct StoredSecret {
    /// The full ARN.
    pub arn: String,
    /// Its text.
    pub text: Zeroizing<String>,
}

/// The secrets of an account and region.
#[derive(Clone, Debug)]
pub struct Secrets(Client);

impl Secrets {
    /// The secrets of that account.
    pub fn of(account: &Account) -> Self {
        Self(Client::new(&account.config))
    }

    /// Reads a secret by name or ARN; `None` if there is none.
    pub async fn read(&self, id: &str) -> Result<Option<StoredSecret>, AwsError> {
        let secret = match self.0.get_secret_value().secret_id(id).send().await {
            Ok(secret) => secret,
            Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(None),
            Err(error) if is_deleted(&error) => {
                return Err(AwsError::Other(format!(
                    "{GET}: {id} is marked for deletion: run `aws secretsmanager restore-secret --secret-id {id}`, or delete it at once with `aws secretsmanager delete-secret --force-delete-without-recovery --secret-id {id}`"
                )));
            }
            Err(error) => return Err(AwsError::of(GET, id, &error)),
        };
        let text = secret.secret_string.map(Zeroizing::new).ok_or_else(|| {
            AwsError::Other(format!(
                "{id}: the secret has no SecretString: store the credentials JSON as a string, not as binary"
            ))
        })?;
        Ok(Some(StoredSecret { arn: secret.arn.unwrap_or_else(|| id.to_owned()), text }))
    }

    /// Creates a secret and returns its ARN. `key` is the KMS key that encrypts it; `None` is AWS's own.
    pub async fn create(
        &self,
        name: &str,
        about: &str,
        key: Option<&str>,
        text: &str,
    ) -> Result<String, AwsError> {
        let request = self.0.create_secret().name(name).description(about).secret_string(text);
        let created = request.set_kms_key_id(key.map(str::to_owned)).send().await;
        let created = created.map_err(|error| AwsError::of(CREATE, name, &error))?;
        created.arn.ok_or_else(|| AwsError::Other(format!("{CREATE}: the response has no ARN")))
    }

    /// Gives a secret a new version.
    pub async fn update(&self, arn: &str, text: &str) -> Result<(), AwsError> {
        let put = self.0.put_secret_value().secret_id(arn).secret_string(text).send().await;
        put.map(drop).map_err(|error| AwsError::of(PUT, arn, &error))
    }
}

fn is_deleted(error: &impl ProvideErrorMetadata) -> bool {
    error.code() == Some("InvalidRequestException")
        && error.message().is_some_and(|message| message.contains("deletion"))
}
