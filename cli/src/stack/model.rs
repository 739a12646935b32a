//! A stack as plain data.

use std::collections::BTreeMap;

/// One `CloudFormation` stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its ARN, which names partition, region and account.
    pub id: String,
    /// Such as `CREATE_COMPLETE`.
    pub status: String,
    /// Why it has this status, if `CloudFormation` says so.
    pub status_reason: Option<String>,
    /// The parameters, by name. A parameter that `CloudFormation` hides has the value `****`.
    pub parameters: BTreeMap<String, String>,
    /// The outputs, by name.
    pub outputs: BTreeMap<String, Output>,
    /// The resources that exist, by logical id.
    pub resources: BTreeMap<String, Resource>,
}

/// One output of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Its value.
    pub value: String,
    /// Its description; empty if it has none.
    pub description: String,
}

/// One resource of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// Such as `AWS::Lambda::Function`.
    pub kind: String,
    /// What the resource's own service calls it: a name, an ARN, a URL.
    pub physical_id: String,
    /// Such as `CREATE_COMPLETE`.
    pub status: String,
}

impl Stack {
    /// The value of an output.
    pub fn output(&self, name: &str) -> Option<&str> {
        self.outputs.get(name).map(|output| output.value.as_str())
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// The physical id of a resource.
    pub fn resource(&self, logical_id: &str) -> Option<&str> {
        self.resources.get(logical_id).map(|resource| resource.physical_id.as_str())
    }

    /// True while `CloudFormation` is changing the stack.
    pub fn is_changing(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_changes_until_its_status_is_final() {
        for (status, expected) in [
            ("UPDATE_IN_PROGRESS", true),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", true),
            ("UPDATE_COMPLETE", false),
            ("ROLLBACK_FAILED", false),
        ] {
            let stack = Stack { status: status.to_owned(), ..Stack::default() };
            assert_eq!(stack.is_changing(), expected, "{status}");
        }
    }
}
