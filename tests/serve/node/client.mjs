// The official Node client against a running service: node client.mjs <base url>. Says "ok" or what was not.
import assert from "node:assert/strict";
import OpenAI, { BadRequestError, NotFoundError } from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "What is the capital of France?" }];
const kettle = [{ role: "user", content: "How much does the kettle hold?" }];

const names = [];
for await (const model of await client.models.list()) names.push(model.id);
assert.deepEqual(names, ["app", "app/quoting", "chat", "encoder"]);
assert.equal((await client.models.retrieve("app/quoting")).id, "app/quoting");

const asked = { model: "chat", messages, max_tokens: 8, temperature: 0, seed: 1 };
const whole = await client.chat.completions.create(asked);
assert.equal(whole.usage.completion_tokens, 8);
assert.ok(whole._request_id);

let text = "";
let usage = null;
const stream = await client.chat.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } });
for await (const chunk of stream) {
  text += chunk.choices[0]?.delta.content ?? "";
  usage = chunk.usage ?? usage;
}
assert.equal(text, whole.choices[0].message.content);
assert.deepEqual(usage, whole.usage);

const grounded = await client.chat.completions.create({ model: "app/quoting", messages: kettle });
assert.match(grounded.choices[0].message.content, /1\.7 litres \[1\]/);
assert.equal(grounded.choices[0].message.gatewheel.citations[0].source, "kettle.md");
const runner = client.chat.completions.stream({ model: "app/quoting", messages: kettle });
assert.equal(await runner.finalContent(), grounded.choices[0].message.content);

const City = z.object({ population: z.number().int(), coastal: z.boolean() });
const format = zodResponseFormat(City, "city");
const parsed = await client.chat.completions.parse({ ...asked, max_tokens: 60, response_format: format });
City.parse(parsed.choices[0].message.parsed);

const parameters = {
  type: "object",
  properties: { city: { type: "string", maxLength: 20 } },
  required: ["city"],
  additionalProperties: false,
};
const tools = [{ type: "function", function: { name: "weather", description: "The weather of a city.", parameters } }];
const called = await client.chat.completions.create({ ...asked, max_tokens: 60, tools, tool_choice: "required" });
assert.equal(called.choices[0].message.tool_calls[0].function.name, "weather");

const kinds = [];
const following = client.responses.stream({ model: "app/quoting", input: kettle[0].content });
for await (const event of following) kinds.push(event.type);
const response = await following.finalResponse();
assert.equal(kinds[0], "response.created");
assert.equal(kinds.at(-1), "response.completed");
assert.match(response.output_text, /1\.7 litres/);
const next = await client.responses.create({
  model: "app/quoting",
  input: "Where is it?",
  previous_response_id: response.id,
});
assert.equal(next.gatewheel.citations[0].source, "kettle.md");
assert.equal((await client.responses.retrieve(response.id)).output_text, response.output_text);

const vectors = await client.embeddings.create({ model: "encoder", input: ["a kettle", "a printer"], dimensions: 64 });
assert.equal(vectors.data[1].embedding.length, 64);
assert.ok(Math.abs(vectors.data[0].embedding.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-4);

await assert.rejects(client.chat.completions.create({ ...asked, model: "chatt" }), NotFoundError);
await assert.rejects(client.chat.completions.create({ ...asked, logit_bias: { 1: 1 } }), (error) => {
  return error instanceof BadRequestError && error.param === "logit_bias";
});

const leaving = await client.chat.completions.create({ model: "chat", messages, stream: true });
for await (const _ of leaving) break; // leaves the stream

console.log("ok");
