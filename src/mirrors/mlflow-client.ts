import { z } from 'zod';
import { ask } from './post.js';
import { NotTaken } from './send-webhook.js';

const tags = z.array(z.object({ key: z.string(), value: z.string().default('') })).default([]);
const registeredModel = z.object({
  tags,
  aliases: z.array(z.object({ alias: z.string(), version: z.coerce.string() })).default([]),
});
const modelVersion = z.object({ version: z.coerce.string(), tags });
const failure = z.object({ error_code: z.string() });

export type RegisteredModel = z.output<typeof registeredModel>;
export type ModelVersion = z.output<typeof modelVersion>;
export type Tags = Readonly<Record<string, string>>;

/** The registry part of MLflow's REST API 2.0, as far as a mirror needs it. Every call throws unless it was taken. */
export function createMlflowClient(url: string, authorization: string | undefined, signal?: AbortSignal) {
  async function call(method: 'GET' | 'POST' | 'DELETE', path: string, input: Record<string, unknown>) {
    const query = new URLSearchParams(input as Record<string, string>);
    const { status, json } = await ask(`${url}/api/2.0/mlflow/${path}${method === 'GET' ? `?${query}` : ''}`, {
      method,
      ...(authorization !== undefined && { headers: { authorization } }),
      // Deleting takes its input as a body, too.
      ...(method !== 'GET' && { body: JSON.stringify(input) }),
      ...(signal && { signal }),
    });
    const code = failure.safeParse(json).data?.error_code ?? null;
    return { ok: status === 200, status, code, json };
  }

  async function must(...request: Parameters<typeof call>): Promise<unknown> {
    const { ok, status, code, json } = await call(...request);
    if (!ok) throw refused(status, code, request[1]);
    return json;
  }

  const pairs = (of: Tags) => Object.entries(of).map(([key, value]) => ({ key, value }));

  return {
    /** Null when there is none of this name. */
    async model(name: string): Promise<RegisteredModel | null> {
      const { ok, status, code, json } = await call('GET', 'registered-models/get', { name });
      if (code === 'RESOURCE_DOES_NOT_EXIST') return null;
      if (!ok) throw refused(status, code, 'registered-models/get');
      return z.object({ registered_model: registeredModel }).parse(json).registered_model;
    },
    /** One that is there already stays as it is. */
    async createModel(name: string, description: string, of: Tags): Promise<void> {
      const request = ['POST', 'registered-models/create', { name, description, tags: pairs(of) }] as const;
      const { ok, status, code } = await call(...request);
      if (!ok && code !== 'RESOURCE_ALREADY_EXISTS') throw refused(status, code, request[1]);
    },
    setModelTag: (name: string, key: string, value: string) =>
      must('POST', 'registered-models/set-tag', { name, key, value }),
    /** All versions of a name. */
    async versions(name: string): Promise<ModelVersion[]> {
      const found: ModelVersion[] = [];
      let page = '';
      do {
        const answer = z
          .object({ model_versions: z.array(modelVersion).default([]), next_page_token: z.string().default('') })
          .parse(
            await must('GET', 'model-versions/search', {
              filter: `name='${name}'`,
              max_results: '200',
              ...(page !== '' && { page_token: page }),
            }),
          );
        found.push(...answer.model_versions);
        page = answer.next_page_token;
      } while (page !== '');
      return found;
    },
    /** Answers the number that MLflow gave it. */
    async createVersion(name: string, source: string, description: string, of: Tags): Promise<string> {
      const json = await must('POST', 'model-versions/create', { name, source, description, tags: pairs(of) });
      return z.object({ model_version: modelVersion }).parse(json).model_version.version;
    },
    setVersionTag: (name: string, version: string, key: string, value: string) =>
      must('POST', 'model-versions/set-tag', { name, version, key, value }),
    setAlias: (name: string, alias: string, version: string) =>
      must('POST', 'registered-models/alias', { name, alias, version }),
    deleteAlias: (name: string, alias: string) => must('DELETE', 'registered-models/alias', { name, alias }),
  };
}

function refused(status: number, code: string | null, path: string): NotTaken {
  return new NotTaken(`HTTP ${status}${code === null ? '' : ` ${code.slice(0, 60)}`} at ${path}`);
}
