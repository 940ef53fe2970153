# One image for server, worker, migration and CLI.
FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY prisma.config.ts tsconfig.json ./
COPY prisma prisma
COPY setup setup
COPY src src
RUN npm run build && npm prune --omit=dev

FROM node:22-slim
ENV NODE_ENV=production
WORKDIR /app
# The volumes take the owner of these folders.
RUN mkdir -m 700 /spool /state && mkdir /artifacts && chown node:node /artifacts /spool /state
COPY --from=build --chown=node:node /app/package.json ./
COPY --from=build --chown=node:node /app/node_modules node_modules
COPY --from=build --chown=node:node /app/prisma prisma
COPY --from=build --chown=node:node /app/setup setup
COPY --from=build --chown=node:node /app/dist dist
USER node
CMD ["node", "--max-semi-space-size=32", "dist/src/server.js"]
