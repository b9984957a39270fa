"""Draw the plots of the how-to pages: `python docs/gallery_plots.py` takes half a minute on two cores."""

from pathlib import Path

from neural_style import StyleTransfer, plotting, samples
from neural_style.callbacks import Timelapse

DOCS = Path(__file__).parent
PHOTO, PAINTING = samples.path("chenonceau"), samples.path("starry_night")
PLOTS = DOCS / "gallery" / "plots"


def main() -> None:
    """Run once at 256 pixels and draw every plot."""
    timelapse = Timelapse(count=30, longest=256)
    result = StyleTransfer(extractor="vgg16").run(PHOTO, PAINTING, size=256, callbacks=[timelapse])
    figures = {
        "show": plotting.show(PHOTO, PAINTING, result, height=2.4),
        "history": plotting.plot_history(result),
        "evolution": plotting.plot_evolution(timelapse, height=1.6),
    }
    PLOTS.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        kind = "png" if name == "history" else "jpg"  # photographs are a tenth of the size as JPEG
        figure.savefig(PLOTS / f"{name}.{kind}")
    timelapse.save(PLOTS / "timelapse.webp", seconds=4)


if __name__ == "__main__":
    main()
