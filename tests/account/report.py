"""The report, in Markdown: one row per check, without secrets and account ids."""

from checks import CANNOT_TELL, EXPECTED, NOT_EXPECTED, PERSON

VERDICTS = [EXPECTED, NOT_EXPECTED, CANNOT_TELL, PERSON]


class Report:
    def __init__(self, account):
        self.account, self._rows = account, []

    def add(self, check, result):
        self._rows.append((check, result))

    def differs(self):
        return any(result.verdict == NOT_EXPECTED for _, result in self._rows)

    def markdown(self):
        where = "AWS" if self.account.is_aws else "not AWS: an emulator"
        counts = [
            f"{sum(result.verdict == verdict for _, result in self._rows)} {verdict}" for verdict in VERDICTS
        ]
        lines = [
            f"# First hour of the stack {self.account.stack}",
            "",
            f"Region {self.account.session.region_name}, endpoint: {where}. {', '.join(counts)}.",
            "",
            "| check | what no emulator shows | how it is judged | expected | found | verdict |",
            "|---|---|---|---|---|---|",
        ]
        for check, result in self._rows:
            verdict = result.verdict + (f" ({result.why})" if result.why else "")
            cells = [f"`{check.name}`", check.what, check.how, check.expected, result.found, verdict]
            lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
        return self.account.redact("\n".join(lines) + "\n")
