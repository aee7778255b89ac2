"""Facts fixed when the package was made: hashes, sizes and mirrors of known sets.

No list of hashes beside the data is read: whoever can edit the files can edit it too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Published:
    """What a well-known idx set must look like.

    Attributes
    ----------
    source : str
        Authors and licence, for the description.
    n_train, n_test, side, classes : int
        Numbers of examples, height and width of a picture, number of classes.
    sha256 : Mapping
        Part ("train-images", ...) -> hash of the *decompressed* file; the gzip
        wrapping differs from mirror to mirror. Empty when nothing is pinned, and
        then nothing is downloaded either.
    mirrors : tuple of str
        Folders on the web that hold ``train-images-idx3-ubyte.gz`` and so on.
    """

    source: str
    n_train: int
    n_test: int
    side: int
    classes: int
    sha256: Mapping[str, str] = field(default_factory=dict)
    mirrors: tuple[str, ...] = ()


PUBLISHED = {
    "mnist": Published(
        "handwritten digits of LeCun, Cortes & Burges, CC BY-SA 3.0",
        n_train=60_000,
        n_test=10_000,
        side=28,
        classes=10,
        sha256={
            "train-images": (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
            ),
            "train-labels": (
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
            ),
            "t10k-images": (
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
            ),
            "t10k-labels": (
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
            ),
        },
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    ),
    "fashion-mnist": Published(
        "pictures of clothing of Xiao, Rasul & Vollgraf (2017), MIT licence",
        n_train=60_000,
        n_test=10_000,
        side=28,
        classes=10,
    ),
}

# Of the decompressed digits.csv inside scikit-learn.
DIGITS_SOURCE_SHA256 = (
    "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"
)

# `Dataset.sha256` of every bundled set: the same bytes on every machine, or a refusal.
BUNDLED_SHA256: Mapping[str, str] = {
    "digits": ("4c652b5899b284ec2b7103580c25244985cecf17e2da21788b30d1309989f26c"),
    "digits-8x8": ("175297f5663abd258237ebda2b61faf99896fa264a2d162906389804b492d1c1"),
    "digits-file-order": (
        "828b5bbf8c49e1b5a5a30565b37d4fef928887420249d9721f542f643cc75845"
    ),
    "binary-blitz": (
        "d774b2bb0363c45470f8459a25a392c5b93ce66ab9f45dc4cc3b772d2834be26"
    ),
    "and": ("8700932a778c4f4b9a36cab22cfd57981fc0d8d2caae8c0d14a4d1ffbdc50fae"),
    "or": ("5e7a92fb96e4be03d5bfe9e7675d09197066c9f36f717940896a07d5f2303a2d"),
    "xor": ("0d15fbd9337565cf8379cac9831e746ce1c3f1902b5af5b2ec409d111d2877f7"),
    "hiring": ("ec40132db3b129a9ac0a872a98896d8df84353895e898f0f7cadcf037acf2bb7"),
    "identity-line": (
        "9b7aed25b750b9d9fc69f57335b569c88af23c814ef110bb23039c867384c2bf"
    ),
    "negation-line": (
        "c9c26ece2b92ae1f50e9738bf6ecf975b1438114608af75a27461c53efdf4a3f"
    ),
    "digits-few": ("e3f2b2639f02b8cecd074f960baf4ea9f81a5e3ee04430bd44ea63bc61db2a2e"),
    "digits-pictures": (
        "3de1f4ee8cc0f17e8e5d6c7f39d3d42e660efc5eaa6ad33b3938abf6054b862d"
    ),
    "feature-cross": (
        "bf7d7260a3af04d00172c53e090288441669b43f068e79a0f297bb14a61184e8"
    ),
    "feature-crossed": (
        "0260a3943c6944b2ceeedd3d0f17b7df5a5c3500896fbd47311020c9770301f7"
    ),
    "spiral": ("bc90e8d983296dc88e44b6ea975413be8d57cb51b93b460c2ffdca1212821c3d"),
    "sine": ("ee8e2a7155567e76b3a3c356d599a1bcb77f4369189c121ae9dcf8f401141556"),
    "point-pairs": ("b4c0175f6707cb1af049b211d2b255fcd3001492f4bb1397b9d608c03d83b9b4"),
    "adding": ("141b7d41622efd08cc2f9611d98d7d4bfcbb813505f9f71dabe471da5421b005"),
    "adding-50": ("150fc76ac3dede4fa626f7e1bcc43ae8bc73748d2d33f0692c6d7db5517f282a"),
    "reverse": ("d5a5ed52cc578a04040612368935c2e512469d0d658c86902f85848aad5ed675"),
    "characters": ("bc8172899a19153a8a0b21571ce4d23d2eedc1035f57d8f68a192aac55ff7a78"),
}
