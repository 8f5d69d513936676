"""What the TAP service says of itself (TAPRegExt 1.0)."""

from __future__ import annotations

from collections.abc import Iterator

from vo_models.tapregext.models import (
    DataLimit,
    DataLimits,
    DataModelType,
    Language,
    LanguageFeature,
    LanguageFeatureList,
    OutputFormat,
    TableAccess,
    TimeLimits,
    UploadMethod,
    Version,
)

from vo.adql.functions import FEATURES
from vo.dali.capability import interface
from vo.settings import Settings
from vo.tables.formats import FORMATS, Format

#: COALESCE works, but no standards record holds the key that ADQL 2.1 gives it, and validators refuse it (E_KEYX).
_UNREGISTERED = frozenset({"ivo://ivoa.net/std/TAPRegExt#features-adql-conditional"})

#: How tables may come with a query (TRE-07): within the request, or fetched from an address.
_UPLOADS = ("inline", "http", "https")
_DAY = 86_400


def capability(settings: Settings, base_url: str) -> TableAccess:
    """The capability of the service below ``base_url``, the server's address (TRE-01, TAP-20).

    The execution duration is that of jobs: the standard has no place for the one of synchronous queries. There is no
    securityMethod, as all is public (TAP-21).
    """
    return TableAccess(
        interface=[interface(f"{base_url}/tap", use="base", role="std", version="1.1")],
        data_model=list(_data_models(settings)),
        language=[_language()],
        output_format=[_output_format(form) for form in FORMATS],
        upload_method=[UploadMethod(ivo_id=f"ivo://ivoa.net/std/TAPRegExt#upload-{name}") for name in _UPLOADS],
        retention_period=TimeLimits(
            default=round(min(settings.retention_days_default, settings.retention_days_hard) * _DAY),
            hard=round(settings.retention_days_hard * _DAY),
        ),
        execution_duration=TimeLimits(
            default=min(settings.async_seconds_default, settings.async_seconds_hard), hard=settings.async_seconds_hard
        ),
        output_limit=DataLimits(
            default=DataLimit(value=min(settings.maxrec_default, settings.maxrec_hard), unit="row"),
            hard=DataLimit(value=settings.maxrec_hard, unit="row"),
        ),
        # Both limits hold and nobody can raise either; TAPRegExt has two places, each for one unit (TRE-08).
        upload_limit=DataLimits(
            default=DataLimit(value=settings.upload_rows, unit="row"),
            hard=DataLimit(value=settings.upload_bytes, unit="byte"),
        ),
    )


def _data_models(settings: Settings) -> Iterator[DataModelType]:
    """ObsCore; RegTAP only for a registry of everything: who declares it is asked for the whole VO (RegTAP 1.2, 7)."""
    yield DataModelType(value="ObsCore-1.1", ivo_id="ivo://ivoa.net/std/ObsCore#core-1.1")
    if settings.full_registry:
        yield DataModelType(value="Registry 1.2", ivo_id="ivo://ivoa.net/std/RegTAP#1.2")


def _language() -> Language:
    return Language(
        name="ADQL",
        version=[Version(value=number, ivo_id=f"ivo://ivoa.net/std/ADQL#v{number}") for number in ("2.0", "2.1")],
        description="The Astronomical Data Query Language, with geometry on the sphere",
        language_features=[
            LanguageFeatureList(
                type=group.key,
                feature=[LanguageFeature(form=one.form, description=one.description) for one in group.features],
            )
            for group in FEATURES
            if group.features and group.key not in _UNREGISTERED
        ],
    )


def _output_format(form: Format) -> OutputFormat:
    """A form of answers: its media type, and every other word of RESPONSEFORMAT that gives it (TRE-06)."""
    aliases = [name for name in form.names if name != form.media_type]
    return OutputFormat(mime=form.media_type, alias=aliases, ivo_id=form.ivo_id)
