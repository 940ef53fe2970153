"""Rows of the store as the objects that OpenAI's API publishes."""

from __future__ import annotations


def page(data: list[dict], more: bool) -> dict:
    return {
        "object": "list",
        "data": data,
        "has_more": more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def file(row: dict) -> dict:
    return {
        "id": row["id"],
        "object": "file",
        "bytes": row["bytes"],
        "created_at": row["created_at"],
        "expires_at": None,
        "filename": row["filename"],
        "purpose": row["purpose"],
        "status": "processed",
        "status_details": None,
        "understudy": {"rows": row["rows"], "sha256": row["sha256"]},
    }


def event(row: dict) -> dict:
    return {
        "object": "fine_tuning.job.event",
        "id": row["id"],
        "created_at": row["created_at"],
        "level": row["level"],
        "type": row["type"],
        "message": row["message"],
        "data": row["data"],
    }


def job(row: dict) -> dict:
    """A job; ``understudy`` gains ``adapter`` and ``metrics`` once it has succeeded."""
    spec, result = row["spec"], row["result"]
    lora = {name: spec["lora"][name] for name in ("rank", "alpha", "dropout", "learning_rate")}
    understudy = {
        "key": row["key"],
        "base_model": spec["lora"]["base_model"],
        "lora": lora,
        "seed": spec["lora"]["seed"],
        "restarts": row["restarts"],
        "progress": row["progress"],
    }
    if result:
        understudy |= {"adapter": result["adapter"], "metrics": result["metrics"]}
    return {
        "object": "fine_tuning.job",
        "id": row["id"],
        "model": spec["model"],
        "created_at": row["created_at"],
        "finished_at": row["finished_at"],
        "estimated_finish": None,
        "fine_tuned_model": result["fine_tuned_model"] if result else None,
        "organization_id": "org-understudy",
        "result_files": [],
        "status": row["status"],
        "training_file": row["training_file"],
        "validation_file": row["validation_file"],
        "hyperparameters": spec["hyperparameters"],
        "trained_tokens": result["metrics"]["trained_tokens"] if result else None,
        "error": row["error"],
        "user_provided_suffix": spec["suffix"],
        "seed": spec["lora"]["seed"],
        "integrations": [],
        "metadata": row["metadata"],
        "method": {"type": "supervised", "supervised": {"hyperparameters": spec["hyperparameters"]}},
        "understudy": understudy,
    }
