"""Webhooks as Twenty signs them and n8n stores them."""

import hashlib
import hmac
import json
from typing import Any


def webhook(record_id: str, secret: str) -> dict[str, Any]:
    body = json.dumps({"objectMetadata": {"nameSingular": "person"}, "record": {"id": record_id}})
    signature = hmac.new(secret.encode(), f"1:{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"X-Twenty-Webhook-Signature": signature, "X-Twenty-Webhook-Timestamp": "1"}
    return {"received_at": "2026-10-01T00:00:00Z", "headers": headers, "body": body}
