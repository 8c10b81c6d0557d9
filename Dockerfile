# One image for the mock authorization server, the gateway, and two of the examples/. For development and tests.
FROM python:3.13-slim AS build
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# Apart from the sources, which change more often. The list has the build backend too.
COPY constraints/demo.txt constraints/
RUN pip install --quiet --no-deps --require-hashes --requirement constraints/demo.txt
COPY . .
RUN pip install --quiet --no-deps --no-build-isolation .

FROM python:3.13-slim
COPY --from=build /opt/venv /opt/venv
COPY examples/fastapi_app.py examples/fleet/fleet_app.py /app/
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# No name in the image needs this user: nothing in it is written to.
USER 10001:10001
EXPOSE 9000
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["mock-as", "health"]
CMD ["mock-as", "serve", "--host", "0.0.0.0", "--allow-remote"]
