"""SQS with the tasks that move messages, in front of the emulated one, which does not have them.

Requests and responses as in SQS's API reference, StartMessageMoveTask, ListMessageMoveTasks and CancelMessageMoveTask
(read 2026-11-27). All other requests are forwarded.
"""

import json
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class MoveTasks:
    """The server. `endpoint` is for AWS_ENDPOINT_URL."""

    def __init__(self, aws, source, destination):
        self.sqs, self.source, self.destination = aws.client("sqs"), source, destination
        self.tasks, self.failing = [], None
        handler = type("Handler", (Handler,), {"tasks": self, "upstream": aws.endpoint.removeprefix("http://")})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def start(self, request):
        name = "ApproximateNumberOfMessages"
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.source, AttributeNames=[name])
        task = {
            "TaskHandle": f"handle-{len(self.tasks)}",
            "Status": "RUNNING",
            "SourceArn": request["SourceArn"],
            "MaxNumberOfMessagesPerSecond": request["MaxNumberOfMessagesPerSecond"],
            "ApproximateNumberOfMessagesMoved": 0,
            "ApproximateNumberOfMessagesToMove": int(attributes["Attributes"][name]),
            "StartedTimestamp": int(time.time() * 1000),
        }
        answer = {"TaskHandle": task["TaskHandle"]}
        self.tasks.insert(0, task)
        threading.Thread(target=self._move, args=[task], daemon=True).start()
        return answer

    def _move(self, task):
        while task["Status"] == "RUNNING":
            if self.failing:
                task.update(Status="FAILED", FailureReason=self.failing)
                break
            messages = self.sqs.receive_message(QueueUrl=self.source).get("Messages", [])
            if not messages:
                task["Status"] = "COMPLETED"
                break
            self.sqs.send_message(QueueUrl=self.destination, MessageBody=messages[0]["Body"])
            self.sqs.delete_message(QueueUrl=self.source, ReceiptHandle=messages[0]["ReceiptHandle"])
            task["ApproximateNumberOfMessagesMoved"] += 1
            time.sleep(1 / task["MaxNumberOfMessagesPerSecond"])
        if task["Status"] == "CANCELLING":
            task["Status"] = "CANCELLED"
        # Only a running task can be named.
        del task["TaskHandle"]

    def list(self, request):
        return {"Results": [task for task in self.tasks if task["SourceArn"] == request["SourceArn"]][:1]}

    def cancel(self, request):
        [task] = [task for task in self.tasks if task.get("TaskHandle") == request["TaskHandle"]]
        task["Status"] = "CANCELLING"
        return {"ApproximateNumberOfMessagesMoved": task["ApproximateNumberOfMessagesMoved"]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        calls = {
            "AmazonSQS.StartMessageMoveTask": self.tasks.start,
            "AmazonSQS.ListMessageMoveTasks": self.tasks.list,
            "AmazonSQS.CancelMessageMoveTask": self.tasks.cancel,
        }
        call = calls.get(self.headers.get("X-Amz-Target"))
        if call:
            status, answer, kind = 200, json.dumps(call(json.loads(body))).encode(), "application/x-amz-json-1.0"
        else:
            connection = HTTPConnection(self.upstream, timeout=30)
            connection.request("POST", self.path, body, dict(self.headers))
            response = connection.getresponse()
            status, answer, kind = response.status, response.read(), response.headers["Content-Type"]
            connection.close()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass
