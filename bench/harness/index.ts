export type { Bench, BenchContext, BenchResult, Sample } from './bench.js';
export { connectHttp, type HttpAnswer, type HttpConnection } from './http-connection.js';
export { cpuSeconds, measure, type ProcessGroup, rssMegabytes } from './measure.js';
export { applyBenchModel, benchKey } from './model.js';
export { npmPeer, type Peer, pythonPeer } from './peers.js';
export { type BenchDatabase, type BenchPostgres, startPostgres } from './postgres.js';
export { type BenchServer, startServer } from './server.js';
export { interleave, median, medians, percentile, rounded } from './statistics.js';
