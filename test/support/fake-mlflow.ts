import { z } from 'zod';
import { type FakeAnswer, type FakeRequest, type HttpFake, startHttpFake } from './http-fake.js';

interface Version {
  version: string;
  source: string;
  description: string;
  tags: Map<string, string>;
}

/** A registered model, as somebody who looks at the registry sees it. */
export interface FakeRegisteredModel {
  tags: Map<string, string>;
  aliases: Map<string, string>;
  versions: Version[];
}

export interface FakeMlflow extends HttpFake {
  models: Map<string, FakeRegisteredModel>;
  /** Every request that changed something, `METHOD path`. */
  changes: string[];
  authorization: Set<string | undefined>;
}

const text = z.string();
const tags = z.array(z.strictObject({ key: text.min(1).max(250), value: text.max(5_000) })).default([]);
const name = text.min(1);
/** Requests of the registry service of MLflow's REST API 2.0: required and optional fields, and no others. */
const REQUESTS = {
  'GET registered-models/get': z.strictObject({ name }),
  'POST registered-models/create': z.strictObject({ name, tags, description: text.optional() }),
  'POST registered-models/set-tag': z.strictObject({ name, key: text, value: text }),
  'POST registered-models/alias': z.strictObject({ name, alias: text.regex(/^(?!v\d+$)[\w-]+$/i), version: text }),
  'DELETE registered-models/alias': z.strictObject({ name, alias: text }),
  'GET model-versions/search': z.strictObject({
    filter: text.regex(/^name='[^']+'$/),
    max_results: z.coerce.number().int().min(1).max(200_000),
    page_token: text.optional(),
  }),
  'POST model-versions/create': z.strictObject({ name, source: text.min(1), tags, description: text.optional() }),
  'POST model-versions/set-tag': z.strictObject({ name, version: text, key: text, value: text }),
} as const;

/** Of any of them; which fields are there was checked. */
interface Input {
  name: string;
  key: string;
  value: string;
  alias: string;
  version: string;
  tags: { key: string; value: string }[];
  source: string;
  filter: string;
  page_token?: string;
}

const refuse = (status: number, error_code: string): FakeAnswer => ({
  status,
  body: { error_code, message: 'refused' },
});
const missing = refuse(404, 'RESOURCE_DOES_NOT_EXIST');
const listed = (of: Map<string, string>) => [...of].map(([key, value]) => ({ key, value }));

/** The model registry of an MLflow tracking server, in memory; pages of two. */
export async function startFakeMlflow(): Promise<FakeMlflow> {
  const models: FakeMlflow['models'] = new Map();
  const changes: string[] = [];
  const authorization: FakeMlflow['authorization'] = new Set();

  const shown = (of: string, version: Version) => ({
    name: of,
    version: version.version,
    source: version.source,
    status: 'READY',
    tags: listed(version.tags),
  });

  function handle(request: FakeRequest): FakeAnswer {
    authorization.add(request.headers.authorization);
    const path = request.path.replace('/api/2.0/mlflow/', '');
    const route = `${request.method} ${path}` as keyof typeof REQUESTS;
    const schema = REQUESTS[route];
    if (schema === undefined) return refuse(404, 'ENDPOINT_NOT_FOUND');
    if (request.method !== 'GET' && request.headers['content-type'] !== 'application/json')
      return refuse(400, 'INVALID_PARAMETER_VALUE');
    const input = request.method === 'GET' ? Object.fromEntries(request.query) : JSON.parse(String(request.body));
    const parsed = schema.safeParse(input);
    if (!parsed.success) return refuse(400, 'INVALID_PARAMETER_VALUE');
    const answer = answerTo(route, parsed.data as unknown as Input);
    if (request.method !== 'GET' && (answer.status ?? 200) === 200) changes.push(`${request.method} ${path}`);
    return answer;
  }

  function answerTo(route: keyof typeof REQUESTS, input: Input): FakeAnswer {
    const map = (of: typeof input.tags) => new Map(of.map(({ key, value }) => [key, value]));
    if (route === 'POST registered-models/create') {
      if (models.has(input.name)) return refuse(400, 'RESOURCE_ALREADY_EXISTS');
      models.set(input.name, { tags: map(input.tags), aliases: new Map(), versions: [] });
      return { body: { registered_model: { name: input.name } } };
    }
    const of = input.name ?? /^name='([^']+)'$/.exec(input.filter)![1]!;
    const model = models.get(of);
    if (route === 'GET model-versions/search') {
      const from = Number(input.page_token ?? 0);
      const page = (model?.versions ?? []).toReversed().slice(from, from + 2);
      const more = (model?.versions.length ?? 0) > from + 2;
      return {
        body: { model_versions: page.map((row) => shown(of, row)), ...(more && { next_page_token: String(from + 2) }) },
      };
    }
    if (model === undefined) return missing;
    const version = model.versions.find((row) => row.version === input.version);
    switch (route) {
      case 'GET registered-models/get': {
        const aliases = [...model.aliases].map(([alias, number]) => ({ alias, version: number }));
        return {
          body: { registered_model: { name: of, tags: listed(model.tags), ...(aliases.length > 0 && { aliases }) } },
        };
      }
      case 'POST registered-models/set-tag':
        model.tags.set(input.key, input.value);
        return { body: {} };
      case 'POST model-versions/create': {
        const made = {
          version: String(model.versions.length + 1),
          source: input.source,
          description: '',
          tags: map(input.tags),
        };
        model.versions.push(made);
        return { body: { model_version: shown(of, made) } };
      }
      case 'DELETE registered-models/alias':
        return model.aliases.delete(input.alias) ? { body: {} } : missing;
      default:
        if (version === undefined) return missing;
        if (route === 'POST model-versions/set-tag') version.tags.set(input.key, input.value);
        else model.aliases.set(input.alias, input.version);
        return { body: {} };
    }
  }

  const fake = await startHttpFake(handle);
  return { ...fake, models, changes, authorization };
}
