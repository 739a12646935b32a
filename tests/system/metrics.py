"""Reads the metrics of a log line, according to the specification of the embedded metric format."""


def read(line):
    """`{metric: (value, unit, [dimensions, ...])}`; dimensions are `{name: value}`."""
    metrics = {}
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert 0 < len(directive["Namespace"]) <= 1024
        sets = [{name: line[name] for name in names} for names in directive["Dimensions"]]
        for dimensions in sets:
            assert len(dimensions) <= 30
            assert all(isinstance(value, str) and 0 < len(value) <= 1024 for value in dimensions.values())
        for metric in directive["Metrics"]:
            value = line[metric["Name"]]
            assert isinstance(value, (int, float))
            metrics[metric["Name"]] = (value, metric["Unit"], sets)
    return metrics


def dimensions(line, metric):
    """The names in each of a metric's sets of dimensions."""
    return [list(names) for names in read(line)[metric][2]]
