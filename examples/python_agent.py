"""An agent in Python: it subscribes, is pushed a task, reports on it, and answers a request.

pip install "python-socketio[client]" requests
PARLEY_TOKEN=<of a client with agents:write> python examples/python_agent.py [id]
"""
import os
import sys

import requests
import socketio

URL = os.environ.get("PARLEY_URL", "http://127.0.0.1:3000")
ID = sys.argv[1] if len(sys.argv) > 1 else "pythonista"

body = {"id": ID, "type": "python", "configuration": {"max_concurrent_tasks": 1}}
auth = {"Authorization": f"Bearer {os.environ['PARLEY_TOKEN']}"}
agent = requests.post(f"{URL}/api/v1/agents/register", json={**body, "rotate_secret": True}, headers=auth).json()
login = {"grant_type": "client_credentials", **agent["credentials"]}
login.pop("webhook_secret")
token = requests.post(f"{URL}/api/v1/auth/token", data=login).json()["access_token"]
socket = socketio.Client()


def say(name, **message):
    answer = socket.call(name, message)
    if not answer["ok"]:
        print(name, "was refused:", answer["error"], flush=True)
    return answer


@socket.event
def connect():  # again after every reconnect
    socket.start_background_task(say, "subscribe", topics=["system.alerts"])
    socket.start_background_task(say, "ready", capacity=1)


@socket.on("event")
def hear(event):
    kind, payload = event["event_type"], event["payload"]
    print(kind, payload.get("task_id", payload.get("request_id", "")), flush=True)
    if kind == "task.assigned" and event["target_agent"] == ID:
        task = {key: payload["task"][key] for key in ("lease_token", "attempt")}
        say("report", task_id=payload["task"]["id"], status="in_progress", progress=50, **task)
        say("report", task_id=payload["task"]["id"], status="completed", output_data={"by": ID}, **task)
    elif kind == "request.created" and event["target_agent"] == ID:
        say("respond", request_id=payload["request_id"], status="success", data={"echo": payload["data"]})
    if event["target_agent"] == ID and not kind.startswith("task."):
        say("ack", cursor=event["cursor"])  # what was said to us is read


socket.connect(URL, socketio_path="/ws", auth={"token": token}, transports=["websocket"])
while True:  # prove that we live
    say("heartbeat", status="active")
    socket.sleep(agent.get("next_heartbeat_in", 10))
