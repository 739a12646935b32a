//! The providers' parts of `template.yaml`: the same text for each, from its constants.

use std::fmt::Write;

use super::providers::{Facts, facts};

/// Between the function's deadline and the end of its run, in seconds: a start that takes long must not cut a run off.
const RESERVE: u64 = 2;
/// The most conditions that `CloudFormation` takes in one `Fn::Or`
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-conditions.html>, read
/// 2026-11-26).
const LARGEST_OR: usize = 10;

/// What a provider's block has beyond the common text. Its further parameters stand in the template by hand.
struct Extra {
    provider: &'static str,
    variables: &'static str,
    statements: &'static str,
}

const EXTRAS: &[Extra] = &[Extra {
    provider: "opencard",
    variables: "CARDS: !Ref OpencardCards\n",
    statements: "\
- Sid: Cards
  Effect: Allow
  Action: s3:GetObject
  Resource: !Sub
    - arn:${AWS::Partition}:s3:::${Object}
    - Object: !Select [1, !Split [\"s3://\", !Ref OpencardCards]]
",
}];

/// The generated sections, in the order of the template.
pub fn sections() -> Result<Vec<String>, String> {
    let facts = facts()?;
    let each = |section: fn(&Facts) -> String| facts.iter().map(section).collect::<String>();
    Ok(vec![
        each(|facts| format!("- {}\n", logical(facts.name))),
        each(|facts| format!("{}: {{default: {}}}\n", logical(facts.name), facts.title)),
        each(parameter),
        some_provider_is_on(
            &facts.iter().map(|facts| (logical(facts.name), facts.on_by_default)).collect::<Vec<_>>(),
        ),
        each(conditions),
        each(block).trim_start().to_owned(),
        each(outputs),
    ])
}

/// A provider's name as a parameter and in logical ids.
fn logical(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

fn parameter(facts: &Facts) -> String {
    let Facts { name, title, chosen_secret, on_by_default, .. } = facts;
    let id = logical(name);
    let default = if *on_by_default { "generate" } else { "\"off\"" };
    let (choice, words, other) = if *chosen_secret {
        ("|generate", "off, generate (the stack makes the signing secret),", ", generate")
    } else {
        ("", "off,", "")
    };
    format!(
        "\
{id}:
  Description: >-
    {title}: {words} or the full ARN of a Secrets Manager secret with the credentials JSON of {name}.
  Type: String
  Default: {default}
  AllowedPattern: ^(off{choice}|arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{{12}}:secret:.+-[A-Za-z0-9]{{6}})$
  ConstraintDescription: >-
    {id}: off{other}, or the full ARN of a secret, which ends in six characters of AWS's, arn:...:secret:name-AbCdEf
"
    )
}

/// The assertion that one of the providers is on. Each has its name in the template, and whether it is on by default.
fn some_provider_is_on(providers: &[(String, bool)]) -> String {
    let names: Vec<_> = providers.iter().map(|(name, _)| name.as_str()).collect();
    let on: Vec<_> = providers.iter().filter(|(_, is_on)| *is_on).map(|(name, _)| name.as_str()).collect();
    let groups = names.len().div_ceil(LARGEST_OR).max(1);
    let mut text = "- Assert: !Or\n".to_owned();
    for group in names.chunks(names.len().div_ceil(groups).max(1)) {
        let indentation = if groups == 1 {
            "    "
        } else {
            text += "    - !Or\n";
            "      "
        };
        for name in group {
            let _ = writeln!(text, "{indentation}- !Not [!Equals [!Ref {name}, \"off\"]]");
        }
    }
    let _ = writeln!(
        text,
        "  AssertDescription: >-\n    \
         No provider is on: set at least one of {} to the ARN of its credentials, or {} to generate.",
        names.join(", "),
        on.join(", ")
    );
    text
}

fn conditions(facts: &Facts) -> String {
    let id = logical(facts.name);
    let mut text = format!("{id}On: !Not [!Equals [!Ref {id}, \"off\"]]\n");
    if facts.chosen_secret {
        let _ = writeln!(text, "{id}Made: !Equals [!Ref {id}, generate]");
    }
    text
}

/// Function, log group and role, and the secret if the stack can generate one.
fn block(facts: &Facts) -> String {
    let Facts { name, title, deadline, chosen_secret, .. } = facts;
    let id = logical(name);
    let timeout = deadline.as_millis().div_ceil(1000) + u128::from(RESERVE);
    let secret = if *chosen_secret {
        format!("!If [{id}Made, !Ref {id}Credentials, !Ref {id}]")
    } else {
        format!("!Ref {id}")
    };
    let extra = EXTRAS.iter().find(|extra| extra.provider == *name);
    let variables = indented(extra.map_or("", |extra| extra.variables), 8);
    let statements = indented(extra.map_or("", |extra| extra.statements), 12);
    let mut text = format!(
        "
# {title}
{id}Function:
  Type: AWS::Serverless::Function
  Condition: {id}On
  Metadata: {{BuildMethod: rust-cargolambda, BuildProperties: {{Binary: {name}}}}}
  Properties:
    FunctionName: !Sub ${{AWS::StackName}}-{name}
    Description: \"Letterbox: {title}\"
    CodeUri: functions/{name}
    Timeout: {timeout}
    Role: !GetAtt {id}Role.Arn
    LoggingConfig: {{LogGroup: !Ref {id}LogGroup}}
    Environment:
      Variables:
        CREDENTIALS_SECRET: {secret}
{variables}    Events:
      Default: {{Type: HttpApi, Properties: {{ApiId: !Ref HttpApi, Method: ANY, Path: /{name}}}}}
      Source: {{Type: HttpApi, Properties: {{ApiId: !Ref HttpApi, Method: ANY, Path: \"/{name}/{{source}}\"}}}}
      Slash: {{Type: HttpApi, Properties: {{ApiId: !Ref HttpApi, Method: ANY, Path: \"/{name}/{{proxy+}}\"}}}}
{id}LogGroup:
  Type: AWS::Logs::LogGroup
  Condition: {id}On
  Properties:
    LogGroupName: !Sub /aws/lambda/${{AWS::StackName}}-{name}
    RetentionInDays: !Ref LogRetentionDays
    Tags: [{{Key: letterbox:stack, Value: !Ref AWS::StackName}}]
{id}Role:
  Type: AWS::IAM::Role
  Condition: {id}On
  Properties:
    AssumeRolePolicyDocument:
      Version: \"2012-10-17\"
      Statement: [{{Effect: Allow, Principal: {{Service: lambda.amazonaws.com}}, Action: sts:AssumeRole}}]
    ManagedPolicyArns: [!Ref SendPolicy]
    PermissionsBoundary: !If [BoundaryGiven, !Ref PermissionsBoundaryArn, !Ref AWS::NoValue]
    Policies:
      - PolicyName: {name}
        PolicyDocument:
          Version: \"2012-10-17\"
          Statement:
            - Sid: Logs
              Effect: Allow
              Action: [logs:CreateLogStream, logs:PutLogEvents]
              Resource: !GetAtt {id}LogGroup.Arn
            - Sid: Credentials
              Effect: Allow
              Action: secretsmanager:GetSecretValue
              Resource: {secret}
            - Sid: Oversize
              Effect: Allow
              Action: s3:PutObject
              Resource: !Sub ${{OversizeBucket.Arn}}/{name}/*
{statements}    Tags: [{{Key: letterbox:stack, Value: !Ref AWS::StackName}}]
"
    );
    if *chosen_secret {
        let _ = write!(
            text,
            "\
{id}Credentials:
  Type: AWS::SecretsManager::Secret
  Condition: {id}Made
  DeletionPolicy: !Ref DataDeletionPolicy
  UpdateReplacePolicy: Retain
  Properties:
    Description: !Sub Letterbox credentials for {name}, stack ${{AWS::StackName}}
    # Never edit these lines: another template generates another secret.
    GenerateSecretString:
      {{SecretStringTemplate: \"{{}}\", GenerateStringKey: secret, PasswordLength: 40, ExcludePunctuation: true}}
    KmsKeyId: !If [KmsKeyGiven, !Ref KmsKeyArn, !Ref AWS::NoValue]
    Tags:
      - {{Key: letterbox:stack, Value: !Ref AWS::StackName}}
      - {{Key: letterbox:when-deleted, Value: !Ref DataDeletionPolicy}}
"
        );
    }
    text
}

fn outputs(facts: &Facts) -> String {
    let Facts { name, title, chosen_secret, reference, .. } = facts;
    let id = logical(name);
    let console = reference.console.en.replace('`', "");
    let (secret, about) = if *chosen_secret {
        (format!("!If [{id}Made, !Ref {id}Credentials, !Ref {id}]"), "the stack's or yours; ")
    } else {
        (format!("!Ref {id}"), "")
    };
    let mut text = format!(
        "\
{id}Url:
  Condition: {id}On
  Description: >-
    {title}: {console}. Append /<source> for a source other than default
  Value: !If
    - DomainPathGiven
    - !Sub https://${{DomainName}}/${{DomainPath}}/{name}
    - !If [DomainGiven, !Sub \"https://${{DomainName}}/{name}\", !Sub \"${{HttpApi.ApiEndpoint}}/{name}\"]
{id}CredentialsSecret:
  Condition: {id}On
  Description: >-
    The Secrets Manager secret with the credentials of {name}, {about}edit it to rotate secrets or to add sources, without
    a deployment
  Value: {secret}
"
    );
    if *chosen_secret {
        let _ = write!(
            text,
            "\
{id}SecretCommand:
  Condition: {id}Made
  Description: Run it to read the credentials; the value of secret in them is what the sender needs
  Value: !Sub
    aws secretsmanager get-secret-value --region ${{AWS::Region}} --secret-id ${{{id}Credentials}} --query SecretString --output text
"
        );
    }
    text
}

fn indented(lines: &str, spaces: usize) -> String {
    let indentation = " ".repeat(spaces);
    lines.lines().flat_map(|line| [&indentation, line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_condition_has_more_parts_than_cloudformation_takes() {
        for count in 2..=60 {
            let names: Vec<_> = (0..count).map(|number| (format!("P{number}"), number == 0)).collect();
            let text = some_provider_is_on(&names);
            assert_eq!(text.matches("!Ref").count(), count);
            // Each `!Or` begins a group of lines that are indented further.
            let groups: Vec<_> = text.split("    - !Or\n").skip(1).collect();
            let sizes: Vec<_> = groups.iter().map(|group| group.matches("!Ref").count()).collect();
            if groups.is_empty() {
                assert!(count <= LARGEST_OR);
            } else {
                assert!((2..=LARGEST_OR).contains(&groups.len()), "{count}");
                assert!(sizes.iter().all(|size| (2..=LARGEST_OR).contains(size)), "{count}: {sizes:?}");
            }
        }
    }

    #[test]
    fn a_block_is_short() {
        for facts in facts().unwrap() {
            let text = block(&facts);
            let common = text.split("Credentials:\n  Type").next().unwrap();
            assert!(common.lines().count() <= 62, "{}: {}", facts.name, common.lines().count());
        }
    }
}
