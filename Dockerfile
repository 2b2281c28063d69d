# One image for every role; the command line chooses: `serve api`, `serve relay`, `migrate`, `up`, …
# Packages come with hashes (requirements.txt); the process is no root and writes to one folder only.

FROM python:3.11-slim-bookworm AS build
WORKDIR /source
COPY requirements.txt ./
RUN sed -n '/^uv==/,/[^\\]$/p' requirements.txt > uv.txt \
    && pip install --no-cache-dir --require-hashes --requirement uv.txt \
    && uv venv /ledger
ENV VIRTUAL_ENV=/ledger
# First what changes seldom: the layer with the dependencies is used again when only code changed.
COPY pyproject.toml ./
RUN uv pip install --no-cache --compile-bytecode --constraint requirements.txt \
    --requirement pyproject.toml --extra ethereum --extra bittensor --extra sui
COPY README.md LICENSE ./
COPY projections projections
COPY schemas schemas
COPY src src
RUN uv pip install --no-cache --compile-bytecode --no-deps --build-constraint requirements.txt .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/flamewire flamewire \
    && install --directory --owner flamewire /archives
COPY --from=build /ledger /ledger
ENV PATH=/ledger/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    FLAMEWIRE_DATA_DIR=/var/lib/flamewire \
    FLAMEWIRE_HOST=0.0.0.0 \
    FLAMEWIRE_LOG_FORMAT=json
USER 10001
WORKDIR /var/lib/flamewire
VOLUME /var/lib/flamewire
EXPOSE 8700
STOPSIGNAL SIGTERM
ENTRYPOINT ["flamewire"]
CMD ["up"]
