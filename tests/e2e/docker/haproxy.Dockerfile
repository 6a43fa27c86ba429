# HAProxy of another version with what the integration tests need beside it; the project's directory is mounted.
ARG HAPROXY_VERSION=3.2
ARG DENO_VERSION=2.9.6

FROM denoland/deno:${DENO_VERSION} AS deno
WORKDIR /src
COPY deno.json deno.lock ./
RUN deno install --frozen

FROM quay.io/coreos/etcd:v3.5.21 AS etcd

FROM haproxy:${HAPROXY_VERSION}
COPY --from=deno /usr/bin/deno /usr/local/bin/deno
COPY --from=deno /deno-dir /deno-dir
COPY --from=etcd /usr/local/bin/etcd /usr/local/bin/etcdctl /usr/local/bin/
USER root
ENV DENO_DIR=/deno-dir NO_COLOR=1
WORKDIR /src
