/**
 * What an OpenAI client asks an upstream for, as a path below the upstream's base address. Chat completions are what
 * Understudy learns from: assigned to arms and captured. The other two are answered by the champion and passed through.
 */
export type Endpoint = 'chat/completions' | 'completions' | 'embeddings';
