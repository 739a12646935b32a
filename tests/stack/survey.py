"""The resources of an account, to compare before and after."""

# Service, operation, the list in its response, and the field that names an item.
KINDS = [
    ("apigatewayv2", "get_apis", "Items", "ApiId"),
    ("apigatewayv2", "get_domain_names", "Items", "DomainName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("cloudfront", "list_distributions", "DistributionList", "Id"),
    ("dynamodb", "list_tables", "TableNames", None),
    ("events", "list_rules", "Rules", "Name"),
    ("firehose", "list_delivery_streams", "DeliveryStreamNames", None),
    ("iam", "list_policies", "Policies", "PolicyName"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("secretsmanager", "list_secrets", "SecretList", "Name"),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("sqs", "list_queues", "QueueUrls", None),
]


def survey(aws):
    """Every resource, as (service, name)."""
    found = set()
    for service, operation, members, name in KINDS:
        items = getattr(aws.client(service), operation)().get(members, [])
        items = items.get("Items", []) if isinstance(items, dict) else items
        found |= {(service, item[name] if name else item) for item in items}
    return found
