# A load-balancer node: HAProxy and the controller that drives it.

ARG DENO_VERSION=2.9.6
ARG HAPROXY_VERSION=3.2

# Compiles on the machine that builds, for the architecture that the image is for.
FROM --platform=$BUILDPLATFORM denoland/deno:${DENO_VERSION} AS build
WORKDIR /src
COPY deno.json deno.lock ./
RUN deno install --frozen
COPY . .
ARG TARGETARCH
# The checkout stays outside: docker build --build-arg REVISION=$(git rev-parse HEAD) .
ARG REVISION=unknown
RUN deno run -A tools/compile.ts --target "$TARGETARCH" --output /out/etcd-haproxy --commit "$REVISION"
# The last stage runs nothing, so that an image for another architecture needs no emulation: its directories come from here.
RUN mkdir -p /out/etc/haproxy /out/var/lib/etcd-haproxy && chmod 0700 /out/var/lib/etcd-haproxy

FROM denoland/deno:${DENO_VERSION} AS tini

FROM haproxy:${HAPROXY_VERSION}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="etcd-haproxy" \
      org.opencontainers.image.description="HAProxy that follows etcd" \
      org.opencontainers.image.licenses="CC0-1.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=tini /tini /tini
COPY --from=build /out/etcd-haproxy /usr/local/bin/etcd-haproxy
# 99:99 is the user haproxy of the base image.
COPY --from=build --chown=99:99 /out/etc/haproxy /etc/haproxy
COPY --from=build --chown=99:99 /out/var/lib/etcd-haproxy /var/lib/etcd-haproxy
USER 99:99
ENV LB_STATS_BIND=:8404 LB_ADMIN_BIND=:8405
EXPOSE 80 8404 8405
# The base image stops by SIGUSR1, which is HAProxy's; the controller drains on SIGTERM.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=10s --start-period=30s --retries=3 CMD ["/usr/local/bin/etcd-haproxy", "health"]
ENTRYPOINT ["/tini", "--", "/usr/local/bin/etcd-haproxy"]
CMD ["run"]
