"""What an app in Python does with the official client; prints what it got as one JSON object."""

import json
import sys

from openai import NotFoundError, OpenAI
from pydantic import BaseModel


class City(BaseModel):
    name: str


class Sizes(BaseModel):
    city: City


def main() -> None:
    client = OpenAI(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=1)
    messages = [{"role": "user", "content": "Where is my parcel?"}]
    got: dict[str, object] = {}

    raw = client.chat.completions.with_raw_response.create(model="support", messages=messages, user="ada")
    got["plain"] = [raw.parse().choices[0].message.content, raw.parse().id == raw.headers["x-understudy-interaction"]]

    text, usage = "", None
    for chunk in client.chat.completions.create(
        model="support", messages=messages, stream=True, stream_options={"include_usage": True}
    ):
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
        usage = chunk.usage or usage
    got["stream"] = [text, usage is not None]

    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    called = client.chat.completions.create(model="tools", messages=messages, tools=[tool])
    call = called.choices[0].message.tool_calls[0]
    got["tools"] = [call.function.name, json.loads(call.function.arguments)]

    many = client.chat.completions.create(model="many", messages=messages, n=2)
    got["n"] = [choice.message.content for choice in many.choices]

    parsed = client.chat.completions.parse(model="schema", messages=messages, response_format=Sizes)
    got["schema"] = parsed.choices[0].message.parsed.city.name

    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    seen = client.chat.completions.create(
        model="support", messages=[{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}]
    )
    got["image"] = seen.choices[0].message.content

    got["completion"] = client.completions.create(model="text", prompt="A story").choices[0].text
    got["embedding"] = client.embeddings.create(model="vector", input="x", encoding_format="float").data[0].embedding
    got["models"] = sorted(model.id for model in client.models.list())
    try:
        client.chat.completions.create(model="nobody", messages=messages)
    except NotFoundError as error:
        got["missing"] = error.code
    print(json.dumps(got))


main()
