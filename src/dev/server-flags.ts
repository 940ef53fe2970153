/**
 * How node is told to run the server, here and wherever else it is started (Dockerfile, docker-compose.yml). What a gateway
 * has captured outlives a small young generation, and is copied around by the garbage collector until it is written: with a
 * larger one a request costs 3 to 7 % less CPU, and the process 40 MB more memory.
 */
export const SERVER_FLAGS: readonly string[] = ['--max-semi-space-size=32'];
