#!/opt/standin/bin/python
"""A substitute for Mailpit: accepts mail on port 1025, lists it on port 8025, and has the same health check."""

import asyncio
import email
import email.policy
import json
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from aiosmtpd.controller import Controller

MAILS: list[dict] = []


class Inbox:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        text = mail.get_body(("plain",)).get_content()
        MAILS.append({"To": envelope.rcpt_tos, "Subject": mail["Subject"], "Text": text})
        return "250 OK"


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"messages": MAILS} if self.path.startswith("/api/") else {"status": "ok"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if sys.argv[1:] == ["readyz"]:
    sys.exit(urllib.request.urlopen("http://127.0.0.1:8025/readyz").status != 200)
Thread(target=ThreadingHTTPServer(("", 8025), Page).serve_forever, daemon=True).start()
Controller(Inbox(), hostname="0.0.0.0", port=1025).start()
asyncio.new_event_loop().run_forever()
