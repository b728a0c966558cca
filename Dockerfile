# Serves with a PostgreSQL of yours (DATABASE_URL): the embedded one stays out of the image.
FROM node:22-slim AS build
WORKDIR /parley
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY .swcrc ./
COPY config config
COPY migrations migrations
COPY src src
COPY scripts/build.mjs scripts/
RUN npm run build

FROM node:22-slim AS packages
WORKDIR /parley
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional

FROM node:22-slim
ENV NODE_ENV=production HOST=0.0.0.0
WORKDIR /parley
COPY --from=packages /parley/node_modules node_modules
COPY --from=build /parley/dist dist
COPY package.json ./
# The image's own user `node`, by number: so Kubernetes can see that it is not root.
USER 1000
EXPOSE 3000
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health/ready`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Node itself, not npm: it is who gets the signals, and ends with 0 when told to.
CMD ["node", "dist/server/main.js"]
