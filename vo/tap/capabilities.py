"""What the TAP service says of itself (TAPRegExt 1.0)."""

from __future__ import annotations

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
    Version,
)

from vo.adql.functions import FEATURES
from vo.dali.capability import interface
from vo.settings import Settings
from vo.tables.formats import FORMATS, Format

#: COALESCE works, but no standards record holds the key that ADQL 2.1 gives it, and validators refuse it (E_KEYX).
_UNREGISTERED = frozenset({"ivo://ivoa.net/std/TAPRegExt#features-adql-conditional"})


def capability(settings: Settings, base_url: str) -> TableAccess:
    """The capability of the service below ``base_url``, the server's address (TRE-01, TAP-20).

    There is no uploadMethod, as there are no uploads, and no securityMethod, as all is public (TAP-21).
    """
    return TableAccess(
        interface=[interface(f"{base_url}/tap", use="base", role="std", version="1.1")],
        data_model=[DataModelType(value="ObsCore-1.1", ivo_id="ivo://ivoa.net/std/ObsCore#core-1.1")],
        language=[_language()],
        output_format=[_output_format(form) for form in FORMATS],
        execution_duration=TimeLimits(default=round(settings.sync_seconds), hard=round(settings.sync_seconds)),
        output_limit=DataLimits(
            default=DataLimit(value=min(settings.maxrec_default, settings.maxrec_hard), unit="row"),
            hard=DataLimit(value=settings.maxrec_hard, unit="row"),
        ),
    )


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
